//! The page of `hip3 latency --html`: one file, drawn once, that needs nothing else.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use crate::command::latency::{QUANTILES, Report, moment};
use crate::command::summary::span;
use crate::types::time::{Nanos, Wall};

/// Size of a plot, in pixels where there is room.
#[derive(Clone, Copy)]
struct Size {
    width: f64,
    height: f64,
}

impl Size {
    const LARGE: Self = Self { width: 1_100.0, height: 380.0 };
    const SMALL: Self = Self { width: 352.0, height: 190.0 };

    fn right(self) -> f64 {
        self.width - EDGE
    }

    fn bottom(self) -> f64 {
        self.height - BELOW
    }

    /// A share of the way from left to right.
    fn x(self, share: f64) -> f64 {
        LEFT + (self.right() - LEFT) * share.clamp(0.0, 1.0)
    }
}

/// Room for the figures of the axes.
const LEFT: f64 = 64.0;
const BELOW: f64 = 28.0;
const EDGE: f64 = 12.0;

const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#fff;--ink:#1b1f24;--muted:#5a6370;--grid:#dfe3e8;\
--c0:#0b62c4;--c1:#b3420a;--c2:#127a3a;--c3:#7a2fb8;--c4:#b3124a;--c5:#00747d;--c6:#7a6200;--c7:#444c56}\
@media(prefers-color-scheme:dark){:root{--ground:#101317;--ink:#e6e9ed;--muted:#98a2ae;--grid:#2a3038;\
--c0:#6cb2ff;--c1:#ff9a62;--c2:#5fd08a;--c3:#c39bff;--c4:#ff85ab;--c5:#4fd0d8;--c6:#e0c24a;--c7:#b8c0ca}}\
body{margin:0 auto;max-width:1180px;padding:24px;background:var(--ground);color:var(--ink);\
font:15px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}\
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .3rem}p{color:var(--muted);margin:.2rem 0 1rem}\
table{border-collapse:collapse}th,td{white-space:nowrap;padding:.2rem .9rem;text-align:right;border-bottom:1px solid var(--grid)}\
th:first-child,td:first-child{text-align:left;padding-left:0}th{color:var(--muted);font-weight:500}\
.scroll{overflow-x:auto}.scroll svg{min-width:640px}svg{width:100%;height:auto;display:block}svg text{fill:var(--muted);font-size:11px}\
.grid{stroke:var(--grid);stroke-width:1}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}\
.small{display:grid;grid-template-columns:repeat(auto-fit,minmax(340px,1fr));gap:8px 28px}\
.small h3{font-size:.95rem;margin:.8rem 0 0}.key{display:inline-block;width:.8em;height:.8em;margin-right:.4em;\
border-radius:2px;vertical-align:-.05em}";

/// The page.
pub(super) fn page(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>hip3 latency</title>\
         <style>{STYLE}</style></head><body><h1>Latency</h1>\
         <p>{} to {} UTC, {} intervals; lengths on a logarithmic scale</p>",
        moment(report.from),
        moment(report.to),
        report.intervals,
    );
    write_table(&mut page, report);
    page.push_str(
        "<h2>Percentiles</h2><p>The share of all that took no longer. The further right a \
         line stays flat, the fewer are late.</p>",
    );
    page.push_str("<div class=\"scroll\">");
    write_percentiles(&mut page, report);
    page.push_str("</div>");
    page.push_str(
        "<h2>Over time</h2><p>By stage: the middle one, the 99th of 100, and the longest. \
         What rises here and not above comes and goes.</p><div class=\"small\">",
    );
    for (n, (stage, _)) in report.whole.iter().enumerate() {
        let _ = write!(page, "<div><h3>{}</h3>", escaped(stage));
        write_time_line(&mut page, report, stage, n);
        page.push_str("</div>");
    }
    page.push_str("</div></body></html>\n");
    page
}

fn write_table(page: &mut String, report: &Report) {
    page.push_str("<div class=\"scroll\"><table><tr><th>stage</th><th>count</th>");
    for (name, _) in QUANTILES {
        let _ = write!(page, "<th>{name}</th>");
    }
    page.push_str("</tr>");
    for (n, (stage, counts)) in report.whole.iter().enumerate() {
        let _ = write!(
            page,
            "<tr><td><span class=\"key\" style=\"background:var(--c{})\"></span>{}</td><td>{}</td>",
            n % 8,
            escaped(stage),
            counts.len()
        );
        for (_, quantile) in QUANTILES {
            let _ = write!(page, "<td>{}</td>", at(counts, quantile));
        }
        page.push_str("</tr>");
    }
    page.push_str("</table></div>");
}

/// Tags come from files: they are text, and nothing else.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn at(counts: &Histogram<u64>, quantile: f64) -> String {
    span(Nanos(counts.value_at_quantile(quantile)))
}

/// Lengths on a logarithmic scale, whole decades from bottom to top.
struct Lengths {
    size: Size,
    lowest: i32,
    highest: i32,
}

impl Lengths {
    fn over(size: Size, lengths: impl Iterator<Item = u64>) -> Self {
        let (mut lowest, mut highest) = (i32::MAX, i32::MIN);
        for length in lengths {
            let decade = (length.max(1) as f64).log10();
            lowest = lowest.min(decade.floor() as i32);
            highest = highest.max(decade.ceil() as i32);
        }
        let lowest = lowest.min(highest);
        Self { size, lowest, highest: highest.max(lowest.saturating_add(1)) }
    }

    fn y(&self, length: u64) -> f64 {
        let decades = f64::from(self.highest - self.lowest);
        let share = ((length.max(1) as f64).log10() - f64::from(self.lowest)) / decades;
        EDGE + (self.size.bottom() - EDGE) * (1.0 - share.clamp(0.0, 1.0))
    }

    fn write_axis(&self, page: &mut String) {
        for decade in self.lowest..=self.highest {
            let length = 10_f64.powi(decade) as u64;
            let (y, right) = (self.y(length), self.size.right());
            let _ = write!(
                page,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                decade_name(decade),
            );
        }
    }
}

fn decade_name(decade: i32) -> String {
    let (unit, base) = match decade {
        ..3 => ("ns", 0),
        3..6 => ("µs", 3),
        6..9 => ("ms", 6),
        9.. => ("s", 9),
    };
    format!("{} {unit}", 10_f64.powi(decade - base))
}

fn open(page: &mut String, Size { width, height }: Size, label: &str) {
    let _ = write!(
        page,
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
        escaped(label)
    );
}

fn write_line(page: &mut String, color: usize, dash: &str, points: &[(f64, f64)]) {
    let _ = write!(
        page,
        "<polyline class=\"line\" style=\"stroke:var(--c{})\"{dash} points=\"",
        color % 8
    );
    for (x, y) in points {
        let _ = write!(page, "{x:.1},{y:.1} ");
    }
    page.push_str("\"/>");
}

/// Where a quantile stands: each nine takes the same room.
fn nines(size: Size, quantile: f64, most: f64) -> f64 {
    size.x(-(1.0 - quantile).max(1e-12).log10() / most)
}

fn write_percentiles(page: &mut String, report: &Report) {
    let size = Size::LARGE;
    let marks: [(f64, &str); 6] = [
        (0.5, "50 %"),
        (0.9, "90 %"),
        (0.99, "99 %"),
        (0.999, "99.9 %"),
        (0.9999, "99.99 %"),
        (0.99999, "99.999 %"),
    ];
    let counted = report.whole.iter().map(|(_, counts)| counts.len()).max().unwrap_or(1);
    // As many nines as so many can tell apart.
    let most = (counted.max(10) as f64).log10().clamp(1.0, 7.0);
    let all = report.whole.iter().flat_map(|(_, counts)| [counts.min(), counts.max()]);
    let lengths = Lengths::over(size, all);
    open(page, size, "Lengths of each stage by percentile; the table above has the figures");
    lengths.write_axis(page);
    for (quantile, name) in marks.into_iter().filter(|(q, _)| -(1.0 - q).log10() <= most) {
        let x = nines(size, quantile, most);
        let _ = write!(
            page,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{EDGE}\" y2=\"{}\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>",
            size.bottom(),
            size.bottom() + 18.0,
        );
    }
    for (n, (_, counts)) in report.whole.iter().enumerate() {
        let points: Vec<(f64, f64)> = counts
            .iter_quantiles(5)
            .map(|step| {
                let value = step.value_iterated_to().min(counts.max());
                (nines(size, step.quantile_iterated_to(), most), lengths.y(value))
            })
            .collect();
        write_line(page, n, "", &points);
    }
    page.push_str("</svg>");
}

fn write_time_line(page: &mut String, report: &Report, stage: &str, color: usize) {
    let size = Size::SMALL;
    let parts =
        || report.parts.iter().filter_map(|part| Some((part.from, part.stages.get(stage)?)));
    let lengths =
        Lengths::over(size, parts().flat_map(|(_, c)| [c.value_at_quantile(0.5), c.max()]));
    let length = report.to.0.saturating_sub(report.from.0).max(1) as f64;
    let x = |at: Wall| size.x(at.0.saturating_sub(report.from.0) as f64 / length);
    open(page, size, &format!("Lengths of {stage} over time"));
    lengths.write_axis(page);
    let foot = size.bottom() + 18.0;
    for (at, anchor, place) in [(report.from, "start", LEFT), (report.to, "end", size.right())] {
        let _ = write!(
            page,
            "<text x=\"{place}\" y=\"{foot}\" text-anchor=\"{anchor}\">{}</text>",
            moment(at)
        );
    }
    for (quantile, dash) in
        [(0.5, ""), (0.99, " stroke-dasharray=\"6 3\""), (1.0, " stroke-dasharray=\"2 3\"")]
    {
        let points: Vec<(f64, f64)> = parts()
            .map(|(from, counts)| (x(from), lengths.y(counts.value_at_quantile(quantile))))
            .collect();
        write_line(page, color, dash, &points);
    }
    page.push_str("</svg>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::latency::tests::dumped;

    #[test]
    fn the_page_needs_nothing_else_and_shows_every_stage() {
        let all = [
            dumped("parse", 0, &[100, 200, 300]),
            dumped("parse", 60, &[100_000]),
            dumped("<b>&\"", 0, &[1]),
        ];
        let report = Report::of(&all, 0, 120).expect("a report");
        let page = page(&report);
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        for outside in
            ["http:", "https:", "src=", "href=", "url(", "<script", "@import", "NaN", "inf"]
        {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains(">parse<") && page.contains("&lt;b&gt;&amp;&quot;"), "{page}");
        assert!(!page.contains("<b>"), "what a file says is text");
        assert_eq!(page.matches("<svg").count(), 3, "one of all, one of each stage");
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    }

    #[test]
    fn scales_are_whole_decades_and_stay_within_the_picture() {
        let lengths = Lengths::over(Size::SMALL, [150, 2_000_000].into_iter());
        assert_eq!((lengths.lowest, lengths.highest), (2, 7));
        assert!(lengths.y(100) > lengths.y(1_000) && lengths.y(10_000_000) == EDGE);
        let one = Lengths::over(Size::SMALL, [0, 1].into_iter());
        assert!(one.y(1).is_finite() && one.highest > one.lowest);
        let none = Lengths::over(Size::SMALL, std::iter::empty());
        assert!(none.highest > none.lowest);
        let names: Vec<String> = [2, 3, 5, 6, 9, 10].map(decade_name).into();
        assert_eq!(names, ["100 ns", "1 µs", "100 µs", "1 ms", "1 s", "10 s"]);
    }
}
