"""The official Python SDK as a client of the simulated venue.

What the venue takes and answers is checked by code that its authors did not write. `--spawn` starts
a venue with a fresh account; `--url` uses one that runs, with the key of a funded account in the
environment variable SDK_KEY. Prints a table; exits with 1 when something differs.
"""

import argparse
import math
import os
import queue
import subprocess
import sys
import time

import eth_account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

IOC = {"limit": {"tif": "Ioc"}}
GTC = {"limit": {"tif": "Gtc"}}


class Differs(Exception):
    """Something is not as the venue has it."""


def expect(found, wanted, what):
    if found != wanted:
        raise Differs(f"{what}: {found!r}, expected {wanted!r}")


def status_of(answer):
    """The only status of an answer to an action."""
    expect(answer.get("status"), "ok", f"status of {answer}")
    (status,) = answer["response"]["data"]["statuses"]
    return status


class Client:
    """One account on one dex, and what is known of a market."""

    def __init__(self, url, wallet, dex):
        self.url, self.wallet, self.dex = url, wallet, dex
        self.info = Info(url, perp_dexs=["", dex], timeout=20)
        self.exchange = Exchange(wallet, url, perp_dexs=["", dex], timeout=20)
        self.coin, self.decimals, self.size = None, 0, 0.0

    def best(self, side):
        levels = self.info.l2_snapshot(self.coin)["levels"][side]
        return float(levels[0]["px"]) if levels else None

    def position(self):
        state = self.info.user_state(self.wallet.address, self.dex)
        held = [one["position"] for one in state["assetPositions"]]
        return next((one for one in held if one["coin"] == self.coin), None)

    def take(self, buy, reduce_only=False, cloid=None):
        """Takes the best price; makers may pull it before we arrive, so a few times."""
        for _ in range(10):
            px = self.best(1 if buy else 0)
            if px is not None:
                answer = self.exchange.order(
                    self.coin, buy, self.size, px, IOC, reduce_only=reduce_only, cloid=cloid
                )
                status = status_of(answer)
                if "filled" in status:
                    return status["filled"]
                if "could not immediately match" not in status["error"]:
                    raise Differs(f"order: {status}")
            time.sleep(0.5)
        raise Differs("no order was ever filled")


def meta_and_asset_ids(client):
    universe = client.info.meta(dex=client.dex)["universe"]
    for index, asset in enumerate(universe):
        expect(asset["name"].split(":")[0], client.dex, "dex of a market")
        expect(client.info.coin_to_asset[asset["name"]], 110_000 + index, "asset id")
    mids = client.info.all_mids(client.dex)
    # A market with a price that leaves room for a wrong tick.
    for asset in universe:
        mid = float(mids.get(asset["name"], 0))
        if not asset.get("isDelisted") and asset["szDecimals"] >= 2 and 50 < mid < 1000:
            client.coin, client.decimals = asset["name"], asset["szDecimals"]
            lots = math.ceil(15 / mid * 10**client.decimals)
            client.size = lots / 10**client.decimals
            return f"{len(universe)} markets; trading {client.coin}"
    raise Differs("no market fits")


def quotes_over_the_socket(client):
    frames = queue.Queue()
    client.info.subscribe({"type": "bbo", "coin": client.coin}, frames.put)
    frame = frames.get(timeout=20)
    expect(frame["channel"], "bbo", "channel")
    expect(frame["data"]["coin"], client.coin, "coin")
    return f"{frame['data']['bbo'][0]['px']} / {frame['data']['bbo'][1]['px']}"


def funds(client):
    state = client.info.user_state(client.wallet.address, client.dex)
    value = float(state["marginSummary"]["accountValue"])
    if value <= 100:
        raise Differs(f"account value {value}: expected more than 100")
    expect(client.info.user_state(client.wallet.address)["assetPositions"], [], "main dex")
    return f"{value} USD"


def leverage(client):
    answer = client.exchange.update_leverage(2, client.coin, is_cross=False)
    expect(answer, {"status": "ok", "response": {"type": "default"}}, "answer")
    return "2, isolated"


def ioc_is_filled(client):
    heard = queue.Queue()
    user = client.wallet.address
    client.info.subscribe({"type": "userFills", "user": user}, heard.put)
    expect(heard.get(timeout=20)["data"]["isSnapshot"], True, "first message")
    cloid = Cloid.from_int(int(time.time() * 1000))
    filled = client.take(True, cloid=cloid)
    expect(float(filled["totalSz"]), client.size, "size")
    expect(filled["cloid"], cloid.to_raw(), "cloid")
    told = heard.get(timeout=20)["data"]["fills"]
    expect({row["oid"] for row in told}, {filled["oid"]}, "orders of the fills")
    rows = [row for row in client.info.user_fills(user) if row["oid"] == filled["oid"]]
    if not math.isclose(sum(float(row["sz"]) for row in rows), client.size):
        raise Differs(f"fills: {rows}")
    position = client.position()
    expect(position and float(position["szi"]), client.size, "position")
    expect(position["leverage"]["type"], "isolated", "margin")
    found = client.info.query_order_by_cloid(user, cloid)
    expect(found["order"]["status"], "filled", "order status")
    return f"{filled['totalSz']} at {filled['avgPx']}"


def gtc_rests_and_is_cancelled(client):
    px = float(f"{client.best(0) * 0.8:.3g}")
    status = status_of(client.exchange.order(client.coin, True, client.size, px, GTC))
    oid = status["resting"]["oid"]
    user = client.wallet.address
    open_oids = [one["oid"] for one in client.info.open_orders(user, client.dex)]
    expect(open_oids, [oid], "open orders")
    expect(status_of(client.exchange.cancel(client.coin, oid)), "success", "cancel")
    expect(client.info.open_orders(user, client.dex), [], "open orders")
    again = status_of(client.exchange.cancel(client.coin, oid))
    asset = client.info.coin_to_asset[client.coin]
    text = f"Order was never placed, already canceled, or filled. asset={asset}"
    expect(again, {"error": text}, "second cancel")
    return f"order {oid}"


def wrong_tick_is_refused(client):
    px = float(f"{client.best(0):.5g}") + 10.0**-client.decimals / 1000
    px = round(px, 8)
    status = status_of(client.exchange.order(client.coin, True, client.size, px, IOC))
    asset = client.info.coin_to_asset[client.coin]
    expect(status, {"error": f"Price must be divisible by tick size. asset={asset}"}, "status")
    return f"{px}"


def stranger_is_named_by_its_own_address(client):
    stranger = eth_account.Account.create()
    exchange = Exchange(stranger, client.url, perp_dexs=["", client.dex], timeout=20)
    answer = exchange.order(client.coin, True, client.size, client.best(0), IOC)
    text = f"User or API Wallet {stranger.address.lower()} does not exist."
    expect(answer, {"status": "err", "response": text}, "answer")
    return stranger.address.lower()


def late_action_is_refused(client):
    client.exchange.set_expires_after(int(time.time() * 1000) - 10_000)
    answer = client.exchange.order(client.coin, True, client.size, client.best(1), IOC)
    client.exchange.set_expires_after(None)
    expect(answer["status"], "err", f"status of {answer}")
    return answer["response"]


def reduce_only_closes(client):
    filled = client.take(False, reduce_only=True)
    deadline = time.time() + 5
    while client.position() is not None and time.time() < deadline:
        time.sleep(0.2)
    expect(client.position(), None, "position")
    return f"{filled['totalSz']} at {filled['avgPx']}"


CHECKS = [
    meta_and_asset_ids,
    quotes_over_the_socket,
    funds,
    leverage,
    ioc_is_filled,
    gtc_rests_and_is_cancelled,
    wrong_tick_is_refused,
    stranger_is_named_by_its_own_address,
    late_action_is_refused,
    reduce_only_closes,
]


def run(client):
    """Runs all checks, each whatever became of the others; whether all went well."""
    well = True
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        try:
            print(f"ok       {name:40} {check(client)}", flush=True)
        except Exception as error:  # whatever it is, it differs
            well = False
            print(f"DIFFERS  {name:40} {type(error).__name__}: {error}", flush=True)
            if client.coin is None:
                break
    return well


def spawned(binary, seed, address):
    """Starts a venue; returns its process and its address."""
    command = [binary, "venue", "--seed", str(seed), "--account", f"{address}=1000"]
    venue = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in venue.stdout:
        if line.startswith("rest_url"):
            return venue, line.split('"')[1]
    venue.wait()
    sys.exit(f"{binary} ended with {venue.returncode} before it served")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="http://127.0.0.1:PORT of a running venue")
    parser.add_argument("--spawn", metavar="HIP3", help="the program, which is started as a venue")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dex", default="xyz")
    args = parser.parse_args()
    if (args.url is None) == (args.spawn is None):
        parser.error("expected either --url or --spawn")
    venue = None
    if args.spawn:
        wallet = eth_account.Account.create()
        venue, url = spawned(args.spawn, args.seed, wallet.address)
    else:
        if "SDK_KEY" not in os.environ:
            parser.error("expected the key of a funded account in SDK_KEY")
        wallet, url = eth_account.Account.from_key(os.environ["SDK_KEY"]), args.url
    try:
        client = Client(url, wallet, args.dex)
        well = run(client)
        client.info.disconnect_websocket()
    finally:
        if venue is not None:
            venue.terminate()
            venue.wait()
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
