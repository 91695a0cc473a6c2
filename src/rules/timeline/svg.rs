//! Drawing a timeline.

use jiff::civil::Date;

use super::{
    Bar, Lane, Rank, Row, Timeline,
    draw::{Svg, escaped, width},
};
use crate::{proto::v1::Verdict, rules::law::covers};

const WIDTH: f64 = 1360.0;
/// Where the days begin: left of it are the names.
const LEFT: f64 = 330.0;
const RIGHT: f64 = 28.0;
const TOP: f64 = 118.0;
const LEGEND: f64 = 92.0;
/// Heights: of what a transfer has by itself, of each of its mechanisms, and of the space around.
const COVER: f64 = 10.0;
const LANE: f64 = 20.0;
const PAD: f64 = 11.0;
/// The least for two lines of names.
const NAMES: f64 = 34.0;

const INK: &str = "#16212b";
const QUIET: &str = "#566573";
const RED: &str = "#b3182b";

/// Patterns tell apart what colours tell apart, for those who do not see these.
const PATTERNS: &str = r##"<defs>
<pattern id="gap" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="8" height="8" fill="#b3182b"/><rect width="3" height="8" fill="#f6c9cf"/></pattern>
<pattern id="unknown" width="7" height="7" patternUnits="userSpaceOnUse"><rect width="7" height="7" fill="#fbe6e8"/><circle cx="3.5" cy="3.5" r="1.7" fill="#b3182b"/></pattern>
<pattern id="tia" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)"><rect width="9" height="9" fill="#e8a317"/><rect width="2" height="9" fill="#7d5200"/></pattern>
<pattern id="waits" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(90)"><rect width="6" height="6" fill="#e3f1ec"/><rect width="1.4" height="6" fill="#1b7a5a"/></pattern>
</defs>"##;

/// The days as places on the page.
struct Scale {
    first: Date,
    days: f64,
}

impl Scale {
    fn new(timeline: &Timeline) -> Option<Self> {
        let first: Date = timeline.from_date.parse().ok()?;
        let last: Date = timeline.to_date.parse().ok()?;
        Some(Self { first, days: f64::from((last - first).get_days() + 1).max(1.0) })
    }

    fn at(&self, date: Date) -> f64 {
        let days = f64::from((date - self.first).get_days()).clamp(0.0, self.days);
        LEFT + (WIDTH - LEFT - RIGHT) * days / self.days
    }

    /// Where a day stands; a date that is none stands at the end.
    fn x(&self, day: &str) -> f64 {
        day.parse().map_or(WIDTH - RIGHT, |date| self.at(date))
    }

    /// The beginnings of years, quarters or months, as many as have room for their name.
    fn ticks(&self) -> Vec<(Date, String)> {
        let room = (WIDTH - LEFT - RIGHT) / 52.0;
        let months = self.days / 30.44;
        let step =
            [1, 3, 6, 12, 24, 60, 120, 240].into_iter().find(|step| months / f64::from(*step) <= room).unwrap_or(240);
        let mut ticks = Vec::new();
        let (mut year, mut month) = (i32::from(self.first.year()), i32::from(self.first.month()));
        // Steps are counted from January, and from years that they divide.
        let count = (year * 12 + month - 1).div_euclid(step) * step;
        (year, month) = (count.div_euclid(12), count.rem_euclid(12) + 1);
        while let Some(date) = date(year, month) {
            if f64::from((date - self.first).get_days()) >= self.days {
                break;
            }
            if date >= self.first {
                let name = if step < 12 { format!("{year}-{month:02}") } else { year.to_string() };
                ticks.push((date, name));
            }
            let next = year * 12 + month - 1 + step;
            (year, month) = (next.div_euclid(12), next.rem_euclid(12) + 1);
        }
        ticks
    }
}

fn date(year: i32, month: i32) -> Option<Date> {
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, 1).ok()
}

impl Row {
    fn height(&self) -> f64 {
        // Lane by lane, as an integer number of them has room in a picture.
        let lanes: f64 = self.lanes.iter().map(|_| LANE).sum();
        (COVER + lanes + 4.0).max(NAMES) + 2.0 * PAD
    }
}

/// The picture; without a day to draw, nothing.
pub fn svg(timeline: &Timeline) -> String {
    let Some(scale) = Scale::new(timeline) else { return String::new() };
    let rows: f64 = timeline.rows.iter().map(Row::height).sum();
    let bottom = TOP + rows.max(60.0);
    let height = bottom + LEGEND;
    let mut svg = Svg::default();
    head(&mut svg, timeline, height);
    axis(&mut svg, &scale, bottom);
    let mut y = TOP;
    for (place, row) in timeline.rows.iter().enumerate() {
        draw_row(&mut svg, &scale, row, y, place % 2 == 1);
        y += row.height();
    }
    if timeline.rows.is_empty() {
        let style = format!(r#"fill="{QUIET}""#);
        svg.text(
            [LEFT + 12.0, TOP + 36.0],
            800.0,
            14.0,
            &style,
            "No restricted transfer takes place in this range, as far as the registry knows.",
        );
    }
    today(&mut svg, &scale, timeline, bottom);
    legend(&mut svg, bottom, timeline);
    svg.raw("</svg>");
    svg.finish()
}

fn head(svg: &mut Svg, timeline: &Timeline, height: f64) {
    let title = format!("Cover of the transfers of {}", timeline.title);
    let mut summary = format!(
        "{} to {}, as of revision {}. {}",
        timeline.from_date,
        timeline.to_date,
        timeline.revision,
        standing(timeline)
    );
    if let Some(left_out) = left_out(timeline) {
        summary = format!("{summary} {left_out}");
    }
    svg.raw(&format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0}" viewBox="0 0 {WIDTH} {height:.0}" role="img" aria-labelledby="title desc" font-family="system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif">"#
    ));
    svg.raw(&format!(r#"<title id="title">{}</title>"#, escaped(&title)));
    svg.raw(&format!(r#"<desc id="desc">{}</desc>"#, escaped(&summary)));
    svg.raw(PATTERNS);
    svg.rect([0.0, 0.0, WIDTH, height], r##"fill="#ffffff""##, "");
    svg.text([24.0, 40.0], WIDTH - 48.0, 22.0, &format!(r#"fill="{INK}" font-weight="600""#), &title);
    svg.text([24.0, 63.0], WIDTH - 48.0, 13.0, &format!(r#"fill="{QUIET}""#), &summary);
}

/// How many are not covered today, in a sentence.
fn standing(timeline: &Timeline) -> String {
    let all = timeline.rows.len() + timeline.left_out.0;
    let of = if all == 1 { "1 transfer".to_owned() } else { format!("{all} transfers") };
    let is = |count: usize| if count == 1 { "is" } else { "are" };
    let mut said = Vec::new();
    match timeline.gaps {
        _ if all == 0 => return "No transfer.".to_owned(),
        (0, 0) => said.push("none that takes place is without cover".to_owned()),
        (gaps, unknown) => {
            said.extend((gaps > 0).then(|| format!("{gaps} {} not covered", is(gaps))));
            said.extend((unknown > 0).then(|| format!("of {unknown} that cannot be determined")));
        }
    }
    format!("{of}; on {}, {}.", timeline.today, said.join(", and "))
}

fn left_out(timeline: &Timeline) -> Option<String> {
    match timeline.left_out {
        (0, false) => None,
        (count, false) => Some(format!("{count} more are left out of the picture.")),
        (count, true) => Some(format!("{count} of those read are left out of the picture, and there are more.")),
    }
}

fn axis(svg: &mut Svg, scale: &Scale, bottom: f64) {
    for (date, name) in scale.ticks() {
        let x = scale.at(date);
        svg.line([x, TOP - 8.0], [x, bottom], r##"stroke="#dde3e8" stroke-width="1""##);
        svg.text([x + 3.0, TOP - 14.0], 60.0, 12.0, &format!(r#"fill="{QUIET}""#), &name);
    }
    svg.line([24.0, TOP - 8.0], [WIDTH - RIGHT, TOP - 8.0], r##"stroke="#9aa7b2" stroke-width="1""##);
}

fn draw_row(svg: &mut Svg, scale: &Scale, row: &Row, y: f64, shaded: bool) {
    let height = row.height();
    if shaded {
        svg.rect([0.0, y, WIDTH, height], r##"fill="#1b4965" fill-opacity="0.04""##, "");
    }
    svg.raw(&format!("<g><title>{}</title>", escaped(&format!("{}: {}, {}", row.name, row.parties, row.detail))));
    svg.text([24.0, y + PAD + 13.0], LEFT - 44.0, 13.5, &format!(r#"fill="{INK}" font-weight="600""#), &row.parties);
    svg.text([24.0, y + PAD + 30.0], LEFT - 44.0, 11.5, &format!(r#"fill="{QUIET}""#), &row.detail);
    svg.raw("</g>");
    for bar in &row.cover {
        let (x, wide) = extent(scale, bar);
        if !covers(bar.verdict) {
            // The whole row shows it, not only a stripe.
            svg.rect([x, y + 3.0, wide, height - 6.0], &format!(r#"fill="{RED}" fill-opacity="0.07""#), "");
        }
        let tooltip = said(&format!("{}, {}", row.parties, row.detail), bar);
        svg.rect([x, y + PAD, wide, COVER], &format!(r#"rx="1.5" fill="{}""#, cover_fill(bar.verdict)), &tooltip);
    }
    let mut lane_y = y + PAD + COVER + 4.0;
    for lane in &row.lanes {
        draw_lane(svg, scale, lane, lane_y);
        lane_y += LANE;
    }
}

fn draw_lane(svg: &mut Svg, scale: &Scale, lane: &Lane, y: f64) {
    for bar in &lane.bars {
        let (x, wide) = extent(scale, bar);
        let tooltip = said(&format!("{}{}", lane.instrument, rank(lane.rank)), bar);
        if covers(bar.verdict) {
            let style = format!(r#"rx="3" {}"#, lane_style(lane.rank, bar));
            svg.rect([x, y + 2.0, wide, LANE - 5.0], &style, &tooltip);
        } else if bar.verdict != Verdict::NotYetInForce {
            svg.rect([x, y + 2.0, wide, LANE - 5.0], r##"fill="#ffffff" fill-opacity="0""##, &tooltip);
            let style = format!(r#"stroke="{RED}" stroke-width="1.5" stroke-dasharray="2 4" stroke-linecap="round""#);
            svg.line([x + 1.0, y + LANE - 5.5], [x + wide - 1.0, y + LANE - 5.5], &style);
        }
    }
    // The name stands where the mechanism covers, or else where it does not.
    let widest = |covering: bool| {
        let bars = lane.bars.iter().filter(|bar| covers(bar.verdict) == covering);
        bars.filter(|bar| covering || bar.verdict != Verdict::NotYetInForce)
            .max_by(|a, b| extent(scale, a).1.total_cmp(&extent(scale, b).1))
    };
    if let Some(bar) = widest(true).or_else(|| widest(false)) {
        name(svg, scale, lane, bar, y);
    }
}

/// Writes the name of a mechanism into its bar or, where that is too short, beside it.
fn name(svg: &mut Svg, scale: &Scale, lane: &Lane, bar: &Bar, y: f64) {
    const SIZE: f64 = 11.0;
    let (x, wide) = extent(scale, bar);
    let text = match covers(bar.verdict) {
        true => format!("{}{}", lane.instrument, rank(lane.rank)),
        false => format!("{}: {}", lane.instrument, word(bar.verdict)),
    };
    let inside = width(&text, SIZE) + 12.0 <= wide;
    let ink = match (inside, covers(bar.verdict), bar.waits, bar.verdict) {
        (_, false, ..) => RED,
        (true, true, false, Verdict::Valid) if lane.rank != Rank::Implied => "#ffffff",
        _ => INK,
    };
    let needed = width(&text, SIZE);
    let (anchor, place) = match (inside, x + wide + 5.0 + needed < WIDTH - RIGHT) {
        (true, _) => ("start", x + 6.0),
        (false, true) => ("start", x + wide + 5.0),
        (false, false) => ("end", x - 5.0),
    };
    let halo = if inside && ink == "#ffffff" {
        ""
    } else {
        r##"stroke="#ffffff" stroke-width="2.5" stroke-linejoin="round" paint-order="stroke""##
    };
    let style = format!(r#"fill="{ink}" text-anchor="{anchor}" pointer-events="none" {halo}"#);
    svg.text([place, y + 13.0], (WIDTH - LEFT).max(needed), SIZE, &style, &text);
}

/// Where a bar begins, and how wide it is: a day is never invisible.
fn extent(scale: &Scale, bar: &Bar) -> (f64, f64) {
    let (from, end) = (scale.x(&bar.from_date), scale.x(&bar.end_date));
    (from, (end - from).max(1.5))
}

fn cover_fill(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NotRestricted => "#b9c3cc",
        Verdict::Valid => "#0f5c43",
        Verdict::MissingTia => "url(#tia)",
        Verdict::Indeterminate | Verdict::Unspecified => "url(#unknown)",
        _ => "url(#gap)",
    }
}

fn lane_style(rank: Rank, bar: &Bar) -> &'static str {
    match (bar.waits, bar.verdict, rank) {
        (true, ..) => r##"fill="url(#waits)" stroke="#1b7a5a" stroke-width="1" stroke-dasharray="4 2""##,
        (_, Verdict::MissingTia, _) => r##"fill="url(#tia)" fill-opacity="0.55" stroke="#7d5200" stroke-width="1""##,
        (_, _, Rank::Implied) => r##"fill="#a9d8c6" stroke="#1b7a5a" stroke-width="1""##,
        (_, _, Rank::Fallback) => r##"fill="#1b7a5a" stroke="#0b3d2c" stroke-width="1.5" stroke-dasharray="4 2""##,
        _ => r##"fill="#1b7a5a""##,
    }
}

fn rank(rank: Rank) -> &'static str {
    match rank {
        Rank::First => "",
        Rank::Fallback => " (fallback)",
        Rank::Implied => " (adequacy, no papers needed)",
    }
}

fn word(verdict: Verdict) -> &'static str {
    verdict.as_str_name().trim_start_matches("VERDICT_")
}

fn said(what: &str, bar: &Bar) -> String {
    let waits = if bar.waits { ", while another carries the transfer" } else { "" };
    let why = if bar.why.is_empty() { String::new() } else { format!(". {}", bar.why) };
    format!("{what}: {}{waits}, {} to before {}{why}", word(bar.verdict), bar.from_date, bar.end_date)
}

fn today(svg: &mut Svg, scale: &Scale, timeline: &Timeline, bottom: f64) {
    if timeline.today < timeline.from_date || timeline.today > timeline.to_date {
        return;
    }
    let x = scale.x(&timeline.today);
    svg.line([x, TOP - 26.0], [x, bottom], r##"stroke="#1d3f8f" stroke-width="2""##);
    let text = format!("today, {}", timeline.today);
    let (anchor, place) = if x > WIDTH - 140.0 { ("end", x - 6.0) } else { ("start", x + 6.0) };
    let style = format!(r##"fill="#1d3f8f" font-weight="600" text-anchor="{anchor}""##);
    svg.text([place, TOP - 30.0], 200.0, 12.0, &style, &text);
}

fn legend(svg: &mut Svg, bottom: f64, timeline: &Timeline) {
    let entries = [
        (r##"fill="#0f5c43""##, "transfer covered"),
        (r##"fill="url(#gap)""##, "gap: not covered"),
        (r##"fill="url(#unknown)""##, "cannot be determined"),
        (r##"fill="url(#tia)""##, "covered, transfer impact assessment missing"),
        (r##"fill="#b9c3cc""##, "not a restricted transfer"),
        (r##"fill="#1b7a5a""##, "mechanism carries it"),
        (r##"fill="#1b7a5a" stroke="#0b3d2c" stroke-width="1.5" stroke-dasharray="4 2""##, "fallback carries it"),
        (r##"fill="url(#waits)" stroke="#1b7a5a" stroke-dasharray="4 2""##, "would carry it, if the first failed"),
        (r##"fill="#a9d8c6" stroke="#1b7a5a""##, "adequacy, no papers needed"),
    ];
    let (mut x, mut y) = (24.0, bottom + 30.0);
    let style = format!(r#"fill="{INK}""#);
    svg.line([24.0, bottom + 8.0], [WIDTH - RIGHT, bottom + 8.0], r##"stroke="#9aa7b2" stroke-width="1""##);
    for (fill, text) in entries {
        let wide = 34.0 + width(text, 12.0) + 22.0;
        if x + wide > WIDTH - RIGHT {
            (x, y) = (24.0, y + 24.0);
        }
        svg.rect([x, y - 10.0, 26.0, 12.0], &format!(r#"rx="2" {fill}"#), "");
        svg.text([x + 34.0, y], 400.0, 12.0, &style, text);
        x += wide;
    }
    svg.line(
        [x, y - 4.0],
        [x + 26.0, y - 4.0],
        &format!(r#"stroke="{RED}" stroke-width="1.5" stroke-dasharray="2 4""#),
    );
    svg.text([x + 34.0, y], 400.0, 12.0, &style, "claimed, but does not carry it");
    if let Some(text) = left_out(timeline) {
        svg.text([24.0, y + 26.0], WIDTH - 48.0, 12.0, &format!(r#"fill="{RED}" font-weight="600""#), &text);
    }
}
