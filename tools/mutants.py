#!/usr/bin/env python3
"""Breaks the engine on purpose, one way at a time, and shows that each break is noticed.

tools/mutants.toml lists the breaks. All of them go into one copy of the tree, each behind a choice
that the environment variable HIP3_MUTANT makes at run time, and the copy is built once; the tree
itself stays as it is. The unbroken build has to pass everything first. Then every mutant is played
with `hip3 simulate` until an invariant fails, or its test is run. A mutant that nobody notices is
named, and the exit code is 1.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tools" / "mutants.toml"
WORK = ROOT / "target" / "mutants"
TREE, BUILD, PROFILES = WORK / "tree", WORK / "build", WORK / "profiles"

# What the copy asks at each of its breaks.
CHOICE = """\
//! Which break is on: the number in `HIP3_MUTANT`, read once; 0 is none.

use std::sync::atomic::{AtomicUsize, Ordering};

const UNREAD: usize = usize::MAX;
static CHOSEN: AtomicUsize = AtomicUsize::new(UNREAD);

/// Whether break `number` is on.
#[inline]
pub fn on(number: usize) -> bool {
    let mut chosen = CHOSEN.load(Ordering::Relaxed);
    if chosen == UNREAD {
        let text = std::env::var("HIP3_MUTANT").unwrap_or_default();
        chosen = text.parse().unwrap_or(0);
        CHOSEN.store(chosen, Ordering::Relaxed);
    }
    chosen == number
}
"""


class TableError(Exception):
    """The table, or what it says of the tree, is wrong."""


@dataclass
class Edit:
    """`old` stands once in `file`; of it, what is between the marks becomes a choice."""

    file: str
    old: str
    new: str

    def place(self, text: str) -> tuple[int, int]:
        """Where the part to be replaced begins and ends."""
        before, marked, after = self.parts()
        whole = before + marked + after
        count = text.count(whole)
        if count != 1:
            raise TableError(f"{self.file}: expected once, found {count} times:\n{whole}")
        begin = text.index(whole) + len(before)
        return begin, begin + len(marked)

    def parts(self) -> tuple[str, str, str]:
        if "«" not in self.old:
            return "", self.old, ""
        before, rest = self.old.split("«", 1)
        marked, after = rest.split("»", 1)
        return before, marked, after


def choice(old: str, ways: list[tuple[int, str]]) -> str:
    """Of a place in the tree, with what each mutant makes of it. Statements if it ends like some,
    else an expression; where nothing is old, something is put in."""
    asked = " else ".join(f"if crate::mutant::on({number}) {{ {new} }}" for number, new in ways)
    if not old:
        return f"{asked}\n"
    whole = f"{asked} else {{ {old} }}"
    return whole if old.rstrip().endswith(";") else f"({whole})"


@dataclass
class Mutant:
    number: int
    name: str
    breaks: str
    edits: list[Edit]
    play: tuple[str, ...] | None  # Arguments of `hip3 simulate`.
    test: tuple[str, str] | None  # Test target and the name of a test there.


@dataclass
class Result:
    mutant: Mutant
    caught: bool
    by: str
    what: str
    when: str
    took: float
    words: str = field(default="")


def read_table(path: Path) -> list[Mutant]:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    usual, profiles = table["usual"], table.get("profiles", {})
    PROFILES.mkdir(parents=True, exist_ok=True)
    for name, text in profiles.items():
        (PROFILES / f"{name}.toml").write_text(text, encoding="utf-8")
    mutants = []
    for number, one in enumerate(table["mutant"], start=1):
        places = (one, *one.get("also", []))
        edits = [Edit(place["file"], place["old"], place["new"]) for place in places]
        caught_by = one["caught_by"]
        play = test = None
        if "simulate" in caught_by:
            plan = usual | caught_by
            name = plan["simulate"]
            faults = str(PROFILES / f"{name}.toml") if name in profiles else name
            play = ("--faults", faults, "--seeds", plan["seeds"], "--hours", str(plan["hours"]))
            play += ("--markets", str(plan["markets"]))
        if "test" in caught_by:
            test = (caught_by["of"], caught_by["test"])
        if play is None and test is None:
            raise TableError(f"{one['name']}: caught_by names neither a profile nor a test")
        mutants.append(Mutant(number, one["name"], one["breaks"], edits, play, test))
    names = [mutant.name for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            raise TableError(f"{name}: two mutants have this name")
    return mutants


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def write_if_new(path: Path, content: bytes) -> None:
    """Leaves times alone, so that cargo builds no more than it must."""
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def make_tree(mutants: list[Mutant]) -> None:
    """The copy, with every break in it."""
    # By file and place, what each mutant makes of it.
    places: dict[str, dict[tuple[int, int], list[tuple[int, str]]]] = {}
    for mutant in mutants:
        for edit in mutant.edits:
            place = edit.place((ROOT / edit.file).read_text(encoding="utf-8"))
            ways = places.setdefault(edit.file, {}).setdefault(place, [])
            ways.append((mutant.number, edit.new))
    names = tracked()
    for name in names:
        content = (ROOT / name).read_bytes()
        if name in places:
            text, own = content.decode("utf-8"), sorted(places[name].items())
            for ((_, end), ways), ((begin, _), others) in zip(own, own[1:]):
                if begin < end:
                    one, other = (mutants[w[0][0] - 1].name for w in (ways, others))
                    raise TableError(f"{name}: {one} and {other} overlap")
            for (begin, end), ways in reversed(own):
                text = text[:begin] + choice(text[begin:end], ways) + text[end:]
            content = text.encode("utf-8")
        if name == "src/lib.rs":
            content += b"\n#[doc(hidden)]\npub mod mutant;\n"
        write_if_new(TREE / name, content)
    write_if_new(TREE / "src" / "mutant.rs", CHOICE.encode("utf-8"))
    wanted = {*names, "src/mutant.rs"}
    for path in TREE.rglob("*"):
        if path.is_file() and str(path.relative_to(TREE)) not in wanted:
            path.unlink()


def cargo(*arguments: str) -> list[dict]:
    """Runs cargo in the copy: one build, without the slow last step of a real release."""
    env = os.environ | {
        "CARGO_TARGET_DIR": str(BUILD),
        "CARGO_PROFILE_RELEASE_LTO": "off",
        "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    }
    command = ["cargo", *arguments, "--release", "--locked", "--message-format", "json"]
    done = subprocess.run(command, cwd=TREE, env=env, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0:
        for message in messages:
            told = message.get("message")
            if isinstance(told, dict) and told.get("level") == "error":
                print(told.get("rendered", ""), file=sys.stderr)
        raise TableError("the copy does not build: a mutant does not fit, see above")
    return messages


def build(mutants: list[Mutant]) -> dict[str, Path]:
    """Builds the program, and the test targets that are asked for; their executables by name."""
    cargo("build")
    programs = {"hip3": BUILD / "release" / "hip3"}
    targets = sorted({mutant.test[0] for mutant in mutants if mutant.test})
    if targets:
        chosen = [part for of in targets for part in (["--lib"] if of == "lib" else ["--test", of])]
        for message in cargo("test", "--no-run", *chosen):
            if message.get("reason") == "compiler-artifact" and message["profile"]["test"]:
                of = "lib" if "lib" in message["target"]["kind"] else message["target"]["name"]
                programs[of] = Path(message["executable"])
    return programs


def run(command: list[str], number: int, patience: float) -> tuple[int | None, str, float]:
    """Exit code (`None` when it took too long), what it said, seconds."""
    began = time.monotonic()
    env = os.environ | {"HIP3_MUTANT": str(number)}
    try:
        done = subprocess.run(
            command, cwd=TREE, env=env, timeout=patience, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        return done.returncode, done.stdout, time.monotonic() - began
    except subprocess.TimeoutExpired:
        return None, f"took longer than {patience:.0f} s", time.monotonic() - began


FAILED = re.compile(
    r"^(?P<invariant>\w+)\n  (?P<what>.*)\n  profile .*, seed (?P<seed>\d+), at (?P<at>[\d.]+) s",
    re.MULTILINE,
)


def play(programs: dict[str, Path], mutant: Mutant, number: int, patience: float) -> Result:
    command = [str(programs["hip3"]), "simulate", *mutant.play, "--jobs", "1"]
    profile = Path(mutant.play[1]).stem
    code, said, took = run(command, number, patience)
    by = f"simulate {profile}"
    if failed := FAILED.search(said):
        when = f"seed {failed['seed']}, {float(failed['at']):.0f} s"
        return Result(mutant, True, by, failed["invariant"], when, took, failed["what"][:300])
    if "a run panicked" in said:
        return Result(mutant, True, by, "panic", "", took, said[-300:])
    words = "" if code == 0 else said[-2000:]
    return Result(mutant, False, by, "nothing" if code == 0 else "no answer", "", took, words)


def test(programs: dict[str, Path], mutant: Mutant, number: int, patience: float) -> Result:
    of, name = mutant.test
    command = [str(programs[of]), "--exact", name]
    code, said, took = run(command, number, patience)
    by, short = "test" if of == "lib" else f"test {of}", name.rsplit("::", 1)[-1]
    if "0 passed; 1 failed" in said:
        return Result(mutant, True, by, short, "", took, said[-2000:])
    if code == 0 and "1 passed; 0 failed" in said:
        return Result(mutant, False, by, "nothing", "", took)
    return Result(mutant, False, by, f"no answer of {short}", "", took, said[-2000:])


def check(programs: dict[str, Path], mutant: Mutant, patience: float) -> Result:
    result = None
    if mutant.play:
        result = play(programs, mutant, mutant.number, patience)
    if mutant.test and not (result and result.caught):
        result = test(programs, mutant, mutant.number, patience)
    return result


def unbroken_passes(programs: dict[str, Path], mutants: list[Mutant], patience: float) -> bool:
    """Whatever is to notice a break must be quiet without one."""
    asked = {mutant.play: (play, mutant) for mutant in mutants if mutant.play}
    asked |= {mutant.test: (test, mutant) for mutant in mutants if mutant.test}
    passes = True
    for at, (what, (ask, mutant)) in enumerate(asked.items(), start=1):
        result = ask(programs, mutant, 0, patience)
        quiet = not result.caught and result.what == "nothing"
        passes &= quiet
        told = " ".join((Path(what[1]).stem, *what[2:])) if ask is play else what[1]
        mark = "passes" if quiet else "FAILS "
        say(f"unbroken {at}/{len(asked)}  {mark}  {told}  {result.took:.1f} s")
        if not quiet:
            say(f"  {result.what} {result.when}\n  {result.words}")
    return passes


def say(text: str) -> None:
    print(text, flush=True)


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    cells = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    return [line.rstrip() for line in cells]


def write_report(results: list[Result], took: float) -> Path:
    caught = sum(result.caught for result in results)
    lines = ["# Mutants", "", f"{caught} of {len(results)} were noticed, in {took:.0f} s.", ""]
    lines += ["| mutant | what it breaks | noticed by | by which | when | real s |"]
    lines += ["|---|---|---|---|---|---|"]
    for result in results:
        mutant = result.mutant
        what = result.what if result.caught else f"**SURVIVED** ({result.what})"
        lines.append(
            f"| {mutant.name} | {mutant.breaks} | {result.by} | {what} | {result.when} "
            f"| {result.took:.1f} |"
        )
    path = WORK / "report.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--only", metavar="NAME,…", help="these mutants alone")
    add("--list", action="store_true", help="lists the mutants, and runs nothing")
    add("--copy", action="store_true", help="makes the copy, and stops there")
    add("--skip-unbroken", action="store_true", help="does not play the unbroken build")
    add("--patience", type=float, default=300, metavar="S", help="longest run of one mutant, in s")
    arguments = parser.parse_args()
    began = time.monotonic()
    mutants = read_table(TABLE)
    chosen = mutants
    if arguments.only:
        names = arguments.only.split(",")
        chosen = [mutant for mutant in mutants if mutant.name in names]
        if unknown := set(names) - {mutant.name for mutant in chosen}:
            raise TableError(f"no such mutant: {', '.join(sorted(unknown))}")
    if arguments.list:
        say("\n".join(aligned([(mutant.name, mutant.breaks) for mutant in chosen])))
        return 0
    make_tree(mutants)
    if arguments.copy:
        return 0
    say(f"building {len(mutants)} mutants into one program")
    programs = build(chosen)
    say(f"built in {time.monotonic() - began:.0f} s")
    if not arguments.skip_unbroken and not unbroken_passes(programs, chosen, arguments.patience):
        print("the unbroken build does not pass: nothing is proven", file=sys.stderr)
        return 1
    results = []
    for at, mutant in enumerate(chosen, start=1):
        result = check(programs, mutant, arguments.patience)
        results.append(result)
        mark = "caught  " if result.caught else "SURVIVED"
        told = f"{mutant.name}: {result.what}  {result.when}  {result.took:.1f} s"
        say(f"{at}/{len(chosen)}  {mark}  {told}")
    rows = [("mutant", "caught by", "invariant or test", "when (virtual)", "real s")]
    for result in results:
        what = result.what if result.caught else f"SURVIVED ({result.what})"
        rows.append((result.mutant.name, result.by, what, result.when, f"{result.took:.1f}"))
    took = time.monotonic() - began
    say("\n" + "\n".join(aligned(rows)))
    path = write_report(results, took)
    survivors = [result.mutant.name for result in results if not result.caught]
    caught = len(results) - len(survivors)
    say(f"\n{caught} of {len(results)} caught in {took:.0f} s; {path.relative_to(ROOT)}")
    if survivors:
        print(f"nobody noticed: {', '.join(survivors)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TableError as error:
        print(f"mutants: {error}", file=sys.stderr)
        sys.exit(2)
