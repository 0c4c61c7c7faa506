#!/usr/bin/env python3
"""The figures of `hip3 report --json` that need no resampling, counted by Spark: on this machine, or on as
many as `--master` names. A second opinion on report_duckdb.py, said in other words.

    tools/report_spark.py data/signals --out spark.json

Spark knows no nanoseconds and no unsigned 64 bits: it reads times as integers and ids as decimals. Needs
pyspark and a Java runtime (17 or later).
"""

import sys

from pyspark.sql import SparkSession

import report_json
from check_records import COLUMNS

TYPES = {"decimal128(18, 8)": "DECIMAL(18,8)", "timestamp[ns, tz=UTC]": "BIGINT", "string": "STRING",
         "uint8": "SMALLINT", "uint32": "BIGINT", "uint64": "DECIMAL(20,0)", "int32": "INT", "int64": "BIGINT",
         "double": "DOUBLE", "bool": "BOOLEAN"}
GATES = ("BboUpdate", "CtxUpdate", "TimeRegression", "MarkMidDivergence", "SpreadShock", "OiCap", "ParamChange",
         "Halt")

# Nearest rank, in whole numbers: the k-th of n, k = ceil(n × percent / 100).
RANK = "element_at({list}, CAST((size({list}) * {percent} + 99) DIV 100 AS INT))"


def percentiles(values):
    ranks = ", ".join(RANK.format(list=values, percent=p) for p in (10, 25, 50, 75, 90, 99))
    return f"array({ranks})"


# Figures of a trip, over rows of `trip` that are valued.
TRIP = """
    count(*) AS n, count_if(f > 0) AS fills, count_if(f > 0 AND net_bps > 0) AS wins, avg(f) AS fill_rate,
    count_if(f > 0 AND net_bps > 0) / nullif(count_if(f > 0), 0) AS win_rate, avg(value_bps) AS mean_value_bps,
    sum(value_bps) / nullif(sum(f), 0) AS mean_net_bps,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY CASE WHEN f > 0 THEN net_bps END) AS median_net_bps,
    coalesce(sum(usd), 0) AS usd, avg(usd) AS usd_mean, count_if(thin) AS thin_exits"""

# In order; each may name those before it. Braces are filled from the settings.
VIEWS = {
    # All that was seen after a signal, in one row: by offset what stood on the exit side and the edge, by
    # latency what stood at the limit. What was not captured is not in the maps.
    "after": """
        SELECT signal_id, map_from_entries(collect_list(struct(offset_ms, struct(
            CAST(IF(side = 'buy', bid_px, ask_px) AS DOUBLE) AS px,
            CAST(IF(side = 'buy', bid_sz, ask_sz) AS DOUBLE) AS sz, raw_edge_bps AS raw)))) AS exits
        FROM followup WHERE status = 'captured' GROUP BY signal_id""",
    "met": """
        SELECT signal_id, map_from_entries(collect_list(struct(latency_ms, CAST(fillable_sz AS DOUBLE)))) AS stood
        FROM entries WHERE status = 'captured' AND fillable_sz IS NOT NULL GROUP BY signal_id""",
    "blind": """
        SELECT coalesce(collect_list(struct(started_at, ended_at)), array()) AS gaps
        FROM gaps WHERE cause <> 'start'""",
    "signal": """
        SELECT s.* EXCEPT (blocked_by), IF(decision LIKE 'filtered:%', decision, blocked_by) AS blocked_by,
            CAST(IF(side = 'buy', ask_px, bid_px) AS DOUBLE) AS entry, CAST(suggested_sz AS DOUBLE) AS sz,
            coalesce({fee_bps}, greatest(0, raw_edge_bps - net_edge_bps - {slippage_bps}) / {fee_sides}) AS fee,
            detected_at DIV 86400000000000 AS day, detected_at DIV 3600000000000 % 24 AS hour,
            from_utc_timestamp(timestamp_micros(detected_at DIV 1000), '{time_zone}') AS local,
            exits,
            transform_values(stood, (l, size) -> least(greatest(size / CAST(suggested_sz AS DOUBLE), 0), 1)) AS stood,
            array_min(transform(filter(gaps, g -> g.ended_at >= detected_at),
                                g -> greatest(g.started_at - detected_at, 0))) AS clear_ns
        FROM signals s LEFT JOIN after USING (signal_id) LEFT JOIN met USING (signal_id) CROSS JOIN blind""",
    "begun": """
        SELECT signal_id, market, day, detected_at,
            NOT coalesce(cross_id = lag(cross_id) OVER before
                         OR oracle_px = lag(oracle_px) OVER before, false) AS begins
        FROM signal WINDOW before AS (PARTITION BY market, day ORDER BY detected_at, signal_id)""",
    "episode": """
        SELECT signal_id, struct(market, day, count_if(begins) OVER (
            PARTITION BY market, day ORDER BY detected_at, signal_id)) AS episode
        FROM begun""",
    "last_seen": """
        SELECT max(at) AS at FROM (
            SELECT max(detected_at) AS at FROM signals UNION ALL SELECT max(captured_at) FROM followup
            UNION ALL SELECT max(captured_at) FROM entries UNION ALL SELECT max(ended_at) FROM crosses
            UNION ALL SELECT max(ended_at) FROM gaps)""",
    "open_cross": """
        SELECT cross_id, market, side,
            (max(at) - min(detected_at)) DIV 1000 + min_by(cross_age_ms, detected_at) * 1000 AS us
        FROM signals LEFT ANTI JOIN crosses USING (cross_id) CROSS JOIN last_seen
        GROUP BY cross_id, market, side""",
    # Nobody knows what became of the quote of a process that died, or of a cross that has no row.
    "wait": """
        SELECT * FROM (
            SELECT market, side, stack(2,
                'survival', IF(end_reason = 'killed', quote_survival_us, coalesce(quote_survival_us, duration_us)),
                quote_survival_us IS NOT NULL,
                'duration', duration_us, end_reason IN ('quote', 'oracle', 'no_quote')) AS (what, us, ended)
            FROM crosses
            UNION ALL
            SELECT market, side, 'duration', us, false FROM open_cross)
        WHERE us IS NOT NULL""",
    "moment": """
        SELECT market, side, what, us, count(*) AS leaving, count_if(ended) AS events
        FROM wait GROUP BY ROLLUP (market, side), what, us""",
    "risk": "SELECT *, sum(leaving) OVER (PARTITION BY what, market, side ORDER BY us DESC) AS n FROM moment",
    # Kaplan-Meier and Greenwood's sum. Where all that are at risk end, nothing stands (and Spark's ln(0) is null).
    "curve": """
        SELECT what, market, side, us, leaving, events,
            IF(bool_or(events = n) OVER w, 0D, exp(sum(log1p(-events / CAST(n AS DOUBLE))) OVER w)) AS s,
            sum(events / (CAST(n AS DOUBLE) * nullif(n - events, 0))) OVER w AS greenwood
        FROM risk WINDOW w AS (PARTITION BY what, market, side ORDER BY us)""",
    "share": """
        SELECT market, coalesce(min(s) FILTER (WHERE us <= {before} * 1000), 1) AS s_a,
            coalesce(min(s) FILTER (WHERE us <= {latency_ms} * 1000), 1) AS s_l,
            coalesce(min(s) FILTER (WHERE us <= {after} * 1000), 1) AS s_b
        FROM curve WHERE what = 'survival' AND market IS NOT NULL AND side IS NULL GROUP BY market""",
    "filled": """
        SELECT signal_id, market, side, hour, local, episode, blocked_by, gate_mask,
            suggested_notional < 10 AS below_minimum, clear_ns, entry, sz, fee, exits,
            IF({probed}, stood, map_concat(coalesce(stood, map()), map({latency_ms}, {between}))) AS fill
        FROM (SELECT *, IF({before} = 0, 1D, stood[{before}]) AS f_a, stood[{after}] AS f_b FROM signal) s
        JOIN episode USING (signal_id) LEFT JOIN share USING (market)""",
    "at": """
        SELECT *, explode(array({latencies})) AS latency_ms FROM filled""",
    "combined": """
        SELECT * EXCEPT (fill, exits), fill[latency_ms] AS f, exits[exit_ms] AS look, exits[exit_ms].px AS exit
        FROM (SELECT *, explode(array(1000, 3000, 5000)) AS exit_ms FROM at) WHERE latency_ms < exit_ms""",
    "netted": """
        SELECT *,
            IF(side = 'buy', 1, -1) * 1e4D * (exit - entry) / entry - fee * (1 + exit / entry) - {priority_bps}
                AS net_bps,
            CASE WHEN below_minimum THEN 'below_minimum' WHEN clear_ns <= exit_ms * 1000000L THEN 'in_gap'
                 WHEN f IS NULL OR look IS NULL THEN 'unseen' WHEN f > 0 AND exit IS NULL THEN 'no_exit'
                 ELSE 'valued' END AS door
        FROM combined""",
    "trip": """
        SELECT *, IF(f > 0, f * net_bps, 0D) AS value_bps, IF(f > 0, f * sz * entry * net_bps / 1e4D, 0D) AS usd,
            f > 0 AND look.sz < f * sz AS thin
        FROM netted""",
    "chosen": "SELECT * FROM trip WHERE latency_ms = {latency_ms} AND exit_ms = {exit_ms}",
    "entry_order": """
        SELECT o.*, s.entry AS touched, s.fee AS fee_bps FROM orders o LEFT JOIN signal s USING (signal_id)
        WHERE reason = 'entry'""",
    "open_signal": "SELECT * FROM signal WHERE blocked_by IS NULL",
    "lasting_edge": """
        SELECT *, exits[1000].raw AS raw_1000, exits[3000].raw AS raw_3000, exits[5000].raw AS raw_5000
        FROM open_signal JOIN episode USING (signal_id)
        WHERE exits[1000].raw + exits[3000].raw + exits[5000].raw IS NOT NULL""",
    "sessioned": """
        SELECT *, CASE WHEN weekday(local) >= 5 THEN 'weekend' WHEN DATE(local) IN ({holidays}) THEN 'holiday'
            WHEN date_format(local, 'HH:mm') BETWEEN '04:00' AND '09:29' THEN 'pre'
            WHEN date_format(local, 'HH:mm') BETWEEN '09:30' AND '15:59' THEN 'regular'
            WHEN date_format(local, 'HH:mm') BETWEEN '16:00' AND '19:59' THEN 'post' ELSE 'overnight' END AS session
        FROM chosen WHERE blocked_by IS NULL""",
    "sorted": """
        SELECT market, side, sort_array(collect_list(raw_edge_bps)) AS raws, avg(raw_edge_bps) AS raw_mean,
            sort_array(collect_list(net_edge_bps)) AS nets, avg(net_edge_bps) AS net_mean
        FROM open_signal GROUP BY ROLLUP (market, side)""",
}

SLICE = """
    count(*) AS signals, count(DISTINCT IF(door = 'valued', episode, NULL)) AS episodes,
    avg(value_bps) FILTER (WHERE door = 'valued') AS mean_value_bps,
    coalesce(sum(usd) FILTER (WHERE door = 'valued'), 0) AS usd"""

TABLES = {
    "trips": f"SELECT market, side, latency_ms, exit_ms, {TRIP} FROM trip WHERE blocked_by IS NULL AND door = 'valued'"
             " GROUP BY ROLLUP (market, side), latency_ms, exit_ms",
    "counts": "SELECT market, side, count(*) AS signals, count(blocked_by) AS blocked, "
              + ", ".join(f"count_if(blocked_by IS NULL AND door = '{door}') AS {door}" for door in
                          ("below_minimum", "in_gap", "unseen", "no_exit", "valued"))
              + ", count(DISTINCT IF(blocked_by IS NULL AND door = 'valued', episode, NULL)) AS episodes"
              " FROM chosen GROUP BY ROLLUP (market, side)",
    "hours": f"SELECT market, side, hour, {SLICE} FROM sessioned GROUP BY market, side, hour",
    "sessions": f"SELECT market, session, {SLICE} FROM sessioned GROUP BY market, session",
    "sides": f"SELECT side, {SLICE} FROM sessioned GROUP BY side",
    "edge": f"SELECT market, side, {percentiles('raws')} AS raw, raw_mean, {percentiles('nets')} AS net, net_mean"
            " FROM sorted",
    "histogram": "SELECT market, side, CAST(least(greatest(floor(raw_edge_bps), 0), 200) AS INT) AS bps,"
                 " count(*) AS signals FROM open_signal GROUP BY ROLLUP (market, side), 3",
    "decay": """
        WITH of_episode AS (
            SELECT market, side, avg(raw_edge_bps) AS before, avg(raw_5000) AS after FROM lasting_edge
            GROUP BY GROUPING SETS ((market, side, episode), (market, episode))),
        kept AS (
            SELECT market, side, sum(after) / sum(before) AS retained FROM of_episode GROUP BY market, side
            UNION ALL SELECT NULL, NULL, sum(after) / sum(before) FROM of_episode WHERE side IS NULL),
        means AS (
            SELECT market, side, count(*) AS n, avg(raw_edge_bps) AS mean_0, avg(raw_1000) AS mean_1000,
                avg(raw_3000) AS mean_3000, avg(raw_5000) AS mean_5000
            FROM lasting_edge GROUP BY ROLLUP (market, side))
        SELECT means.*, retained FROM means JOIN kept ON means.market <=> kept.market AND means.side <=> kept.side""",
    "survival": "SELECT what, market, side, sum(leaving) AS crosses, sum(events) AS events,"
                " min(us) FILTER (WHERE s <= 0.5 + 1e-10D) / 1e3D AS median_ms FROM curve GROUP BY what, market, side",
    "points": """
        SELECT *, IF(s > 0 AND s < 1, pow(s, exp({z} * sqrt(greenwood) / abs(ln(s)))), NULL) AS low,
            IF(s > 0 AND s < 1, pow(s, exp(-{z} * sqrt(greenwood) / abs(ln(s)))), NULL) AS high
        FROM (SELECT what, market, side, ms, coalesce(min(s) FILTER (WHERE us <= ms * 1000), 1) AS s,
                     max(greenwood) FILTER (WHERE us <= ms * 1000) AS greenwood
              FROM curve CROSS JOIN (SELECT explode(array(50, 100, 200, 400, 900, 1000, 2000, 3000, 5000)) AS ms)
              GROUP BY what, market, side, ms)""",
    "ends": "SELECT market, side, end_reason, count(*) AS crosses FROM crosses"
            " GROUP BY ROLLUP (market, side), end_reason",
    "gates_first": "SELECT blocked_by AS gate, count(*) AS first, count_if(bit_count(gate_mask) = 1) AS alone"
                   " FROM chosen WHERE blocked_by IS NOT NULL GROUP BY blocked_by",
    "gates_trip": f"SELECT blocked_by AS gate, {TRIP} FROM chosen WHERE blocked_by IS NOT NULL AND door = 'valued'"
                  " GROUP BY blocked_by",
    "gap_s": "SELECT cause, sum(ended_at - started_at) / 1e9D AS seconds FROM gaps GROUP BY cause",
    "entry_sums": """
        SELECT count(*) AS entries, count(sent_at) AS sent, count_if(outcome = 'filled') AS filled,
            count_if(outcome = 'partially_filled') AS partially_filled,
            avg(IF(side = 'buy', 1, -1) * 1e4D * (CAST(avg_px AS DOUBLE) / touched - 1)) AS slippage_bps FROM entry_order""",
    "entry_outcomes": f"""
        SELECT outcome, orders, size(ns) AS n, IF(size(ns) = 0, NULL, array({RANK.format(list='ns', percent=50)},
            {RANK.format(list='ns', percent=90)}, {RANK.format(list='ns', percent=99)})) AS answer_ns
        FROM (SELECT outcome, count(*) AS orders, sort_array(collect_list(answer_latency_ns)) AS ns
              FROM entry_order GROUP BY outcome)""",
    "refusals": "SELECT refusal, count(*) AS orders FROM entry_order WHERE refusal IS NOT NULL GROUP BY refusal",
    "answered_within": """
        SELECT element_at(filter(array(100, 200, 400, 900, NULL),
                                 ms -> ms IS NULL OR answer_latency_ns < ms * 1000000L), 1) AS below_ms,
            count(*) AS n, avg(CAST(filled AS DOUBLE) / CAST(sz AS DOUBLE)) AS fill_rate
        FROM entry_order WHERE answer_latency_ns IS NOT NULL GROUP BY 1""",
    "entry_fees": """
        SELECT coalesce(sum(CAST(fee AS DOUBLE)), 0) AS paid,
            coalesce(sum(CAST(filled AS DOUBLE) * CAST(avg_px AS DOUBLE) * fee_bps / 1e4D), 0) AS expected
        FROM entry_order WHERE avg_px IS NOT NULL AND touched IS NOT NULL""",
    "trade_sums": """
        SELECT count(*) AS n, count_if(pnl > 0) AS wins,
            CAST(coalesce(sum(pnl_before_fees), 0) AS DOUBLE) AS usd_before_fees,
            CAST(coalesce(sum(fees), 0) AS DOUBLE) AS fees, CAST(coalesce(sum(pnl), 0) AS DOUBLE) AS usd,
            CAST(percentile_disc(0.5) WITHIN GROUP (ORDER BY holding_ms) AS DOUBLE) AS holding_ms_p50 FROM trades""",
    "trade_exits": "SELECT exit_reason, count(*) AS trades FROM trades GROUP BY exit_reason",
    "expectation": """
        SELECT *, (realised_usd - expected_usd) / nullif(n, 0) AS mean_difference_usd
        FROM (SELECT count(*) AS n, coalesce(sum(net_bps * CAST(t.sz AS DOUBLE) * entry / 1e4D), 0) AS expected_usd,
                  CAST(coalesce(sum(pnl), 0) AS DOUBLE) AS realised_usd
              FROM trades t JOIN chosen c USING (signal_id) WHERE door = 'valued' AND net_bps IS NOT NULL)""",
    "opens": "SELECT (SELECT count(*) FROM crosses) AS crosses, (SELECT count(*) FROM open_cross) AS open_crosses",
}


def by_run(told):
    """What a signal's net edge leaves out, in SQL: that of the last run that had begun."""
    (_, first), *later = told
    cases = "".join(f" WHEN detected_at >= {began} THEN {value}D" for began, value in reversed(later))
    return f"CASE{cases} ELSE {first}D END" if later else f"{first}D"


def main():
    parser = report_json.arguments(__doc__)
    parser.add_argument("--master", default="local[2]", help="as Spark names it")
    parser.add_argument("--memory", default="4g", help="of the driver")
    parser.add_argument("--partitions", type=int, default=8, help="of what is grouped or joined; Spark's own is 200")
    args = parser.parse_args()
    # Times in nanoseconds come as integers.
    spark = (SparkSession.builder.master(args.master).appName("report").config("spark.ui.enabled", "false")
             .config("spark.driver.memory", args.memory).config("spark.sql.legacy.parquet.nanosAsLong", "true")
             .config("spark.sql.shuffle.partitions", args.partitions)
             .config("spark.sql.session.timeZone", "UTC").config("spark.ui.showConsoleProgress", "false")
             .config("spark.sql.ansi.enabled", "false").config("spark.log.level", "ERROR").getOrCreate())
    for kind in report_json.KINDS:
        if any(args.dir.glob(f"{kind}_*.parquet")):
            rows = spark.read.parquet(str(args.dir / f"{kind}_*.parquet"))
        else:
            columns = (f"{name.rstrip('?')} {TYPES[str(type_)]}" for name, type_ in COLUMNS[kind])
            rows = spark.createDataFrame([], ", ".join(columns))
        rows.createOrReplaceTempView(kind)
    latencies = [row[0] for row in spark.sql("SELECT DISTINCT latency_ms FROM entries").collect()]
    settings = report_json.settings_of(args, latencies)
    first, last = spark.sql("SELECT min(detected_at), max(detected_at) FROM signals").first()
    years = [1970 + int(at / 1e9 / 86_400 / 365.2425) for at in (first, last)]
    charges = report_json.charges(args.dir, args.slippage_bps)
    words = settings | {
        "fee_bps": "NULL" if args.fee_bps is None else args.fee_bps,
        "slippage_bps": by_run([(began, slippage) for began, slippage, _ in charges]),
        "fee_sides": by_run([(began, sides) for began, _, sides in charges]),
        "z": report_json.quantile_of_normal(args.confidence),
        "probed": "true" if args.latency_ms in latencies else "false",
        "before": max((l for l in latencies if l <= args.latency_ms), default=0),
        "after": min(l for l in latencies if l >= args.latency_ms),
        "latencies": ", ".join(map(str, sorted({*latencies, args.latency_ms}))),
        "holidays": ", ".join(f"DATE'{day}'" for day in report_json.holidays(years[0] - 1, years[1] + 1)),
    }
    words["between"] = "1D" if args.latency_ms == 0 else (
        "f_b + IF(s_a > s_b, (s_l - s_b) / (s_a - s_b), ({after} - {latency_ms}) / ({after} - {before})) * (f_a - f_b)"
        .format(**words))
    for name, query in VIEWS.items():
        view = spark.sql(query.format(**words))
        (view.cache() if name in ("filled", "curve") else view).createOrReplaceTempView(name)
    tables = {name: [row.asDict() for row in spark.sql(query.format(**words)).collect()]
              for name, query in TABLES.items()}
    firsts, trips = ({row["gate"]: row for row in tables.pop(name)} for name in ("gates_first", "gates_trip"))
    tables["gates"] = [{"gate": gate, "first": 0, "alone": 0} | report_json.NO_TRIP | firsts.get(gate, {}) | trips.get(gate, {})
                       for gate in GATES]
    report_json.write(report_json.report(tables, settings, report_json.days_of(args.dir)), args.out)
    spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
