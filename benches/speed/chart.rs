//! The figures as bars, for README and `docs/performance.md`: how many times as much as the other side, on a logarithmic scale.

use crate::figure::{Figure, Goal};
use crate::record::Record;

const WIDTH: f64 = 980.0;
/// Where the bars' own area begins and ends.
const LEFT: f64 = 480.0;
const RIGHT: f64 = 920.0;
const TOP: f64 = 76.0;
const ROW: f64 = 28.0;
const BAR: f64 = 16.0;

/// It has a ground of its own: whoever shows it may be light where the reader's system is dark.
const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}\
.title{font-size:15px;font-weight:600}.soft{fill:#59636e;font-size:12px}\
.ground{fill:#fff;stroke:#d1d9e0}.grid{stroke:#d1d9e0}.one{stroke:#59636e;stroke-width:1.5}\
.more{fill:#1a7f37}.less{fill:#bc4c00}.goal{stroke:#1f2328;stroke-width:2}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.soft{fill:#9198a1}\
.ground{fill:#0d1117;stroke:#3d444d}.grid{stroke:#3d444d}.one{stroke:#9198a1}\
.more{fill:#3fb950}.less{fill:#db6d28}.goal{stroke:#f0f6fc}}";

/// An SVG of the first server's speeds that have a least ratio.
pub fn svg(record: &Record) -> String {
    let Some((server, figures)) = record.servers().first() else { return String::new() };
    let shown: Vec<(&Figure, f64)> = figures
        .iter()
        // How a ratio grows is no speed.
        .filter(|figure| figure.group != "growth")
        .filter_map(|figure| match figure.goal {
            Goal::AtLeast(least, _) => Some((figure, least)),
            _ => None,
        })
        .collect();
    let scale = Scale::over(shown.iter().flat_map(|(figure, least)| [figure.pair.ratio, *least]));
    let bottom = TOP + ROW * shown.len() as f64;
    let height = bottom + 44.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>pgcache on {server}, as multiples of what it is compared with</title>\n<style>{STYLE}</style>\n\
         <rect class=\"ground\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n\
         <text class=\"title\" x=\"20\" y=\"30\">How many times as fast as the other side, on {server}</text>\n\
         <text class=\"soft\" x=\"20\" y=\"50\">Logarithmic; ratios measured in turn, in one run. The mark across a bar is what it should reach at least.</text>\n",
        WIDTH - 1.0,
        height - 1.0
    );
    for tick in scale.ticks() {
        let (x, class) = (scale.x(tick), if tick == 1.0 { "one" } else { "grid" });
        svg += &format!("<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\n");
        svg += &format!(
            "<text class=\"soft\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>\n",
            bottom + 20.0
        );
    }
    for (index, (figure, least)) in shown.iter().enumerate() {
        svg += &row(&scale, figure, *least, TOP + ROW * index as f64);
    }
    svg + "</svg>\n"
}

/// A figure's name, its bar from 1 to its ratio, the ratio, and the mark of what it should reach.
fn row(scale: &Scale, figure: &Figure, least: f64, top: f64) -> String {
    let ratio = figure.pair.ratio;
    let (one, end, goal) = (scale.x(1.0), scale.x(ratio), scale.x(least));
    let (from, to) = (one.min(end), one.max(end));
    let class = if ratio < 1.0 { "less" } else { "more" };
    let bar_top = top + (ROW - BAR) / 2.0;
    let middle = top + ROW / 2.0 + 4.5;
    format!(
        "<text x=\"20\" y=\"{middle:.1}\">{}</text>\
         <rect class=\"{class}\" x=\"{from:.1}\" y=\"{bar_top:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\"/>\
         <line class=\"goal\" x1=\"{goal:.1}\" x2=\"{goal:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
         <text x=\"{:.1}\" y=\"{middle:.1}\" text-anchor=\"end\">{ratio:.2}</text>\n",
        figure.name,
        (to - from).max(1.0),
        bar_top - 3.0,
        bar_top + BAR + 3.0,
        WIDTH - 16.0,
    )
}

/// Powers of two between which all figures lie.
struct Scale {
    lowest: i32,
    highest: i32,
}

impl Scale {
    fn over(ratios: impl Iterator<Item = f64>) -> Self {
        let (mut lowest, mut highest) = (-1, 1);
        for power in ratios.filter(|ratio| *ratio > 0.0).map(f64::log2) {
            lowest = lowest.min(power.floor() as i32);
            highest = highest.max(power.ceil() as i32);
        }
        Self { lowest, highest }
    }

    fn x(&self, ratio: f64) -> f64 {
        let share = (ratio.log2() - f64::from(self.lowest)) / f64::from(self.highest - self.lowest);
        LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.lowest..=self.highest).map(|power| 2f64.powi(power))
    }
}
