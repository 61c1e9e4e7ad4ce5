//! Charts drawn by the server: columns, one on the other, with the table behind them.

use super::Frame;
use askama::Template;

/// The drawing, in units of its own; a telephone shows it a little smaller.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 62.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;
/// Labels under the columns that can be read beside each other.
const LABELS_MAX: usize = 6;
/// How wide a letter is; those of Chinese and Japanese are about twice as wide.
const LETTER: f64 = 6.5;

/// One kind of value: its tone in the style sheet and its words.
pub(crate) struct Series {
    pub(crate) tone: &'static str,
    pub(crate) words: String,
}

/// One column: its label, and a value of each series with its text.
pub(crate) struct Column {
    pub(crate) label: String,
    pub(crate) values: Vec<(f64, String)>,
}

/// What the labels of the columns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Labels {
    /// Days in their order: some of them tell of the others, and each is written once.
    Days,
    /// Names, each of which must be told.
    Names,
}

struct Bar {
    x: String,
    y: String,
    width: String,
    height: String,
    tone: &'static str,
}

/// A line of the scale, or a label.
struct Mark {
    x: String,
    y: String,
    words: String,
}

/// A chart.
#[derive(Template)]
#[template(path = "chart.html")]
pub(crate) struct Chart<'a> {
    f: &'a Frame,
    id: &'static str,
    title: String,
    series: Vec<Series>,
    columns: Vec<Column>,
    bars: Vec<Bar>,
    scale: Vec<Mark>,
    labels: Vec<Mark>,
    /// What the numbers under the columns stand for, where the words do not fit there.
    names: Vec<String>,
    empty: bool,
}

/// About how much room words take.
fn width(words: &str) -> f64 {
    words.chars().map(|letter| if letter.is_ascii() { LETTER } else { 2.0 * LETTER }).sum()
}

fn number(value: f64) -> String {
    format!("{value:.1}")
}

impl<'a> Chart<'a> {
    /// Draws columns; `scale` writes a value of the scale.
    pub(crate) fn new(
        f: &'a Frame,
        (id, title): (&'static str, String),
        series: Vec<Series>,
        (labelled, columns): (Labels, Vec<Column>),
        scale: impl Fn(f64) -> String,
    ) -> Self {
        let sum = |column: &Column| column.values.iter().map(|(value, _)| value).sum::<f64>();
        let most = columns.iter().map(sum).fold(0.0, f64::max);
        let room = (WIDTH - LEFT) / columns.len().max(1) as f64;
        let high = HEIGHT - TOP - BOTTOM;
        let y = |value: f64| TOP + high - if most > 0.0 { value / most * high } else { 0.0 };
        let mut bars = Vec::new();
        let mut labels = Vec::new();
        let every = columns.len().div_ceil(LABELS_MAX).max(1);
        let fits = columns.iter().step_by(every).all(|column| width(&column.label) < room * every as f64)
            && (every == 1 || labelled == Labels::Days);
        let mut written = "";
        let names =
            if fits { Vec::new() } else { columns.iter().map(|column| column.label.clone()).collect() };
        for (at, column) in columns.iter().enumerate() {
            let x = LEFT + at as f64 * room;
            let mut below = 0.0;
            for (series, (value, _)) in
                series.iter().zip(&column.values).filter(|(_, (value, _))| *value > 0.0)
            {
                bars.push(Bar {
                    x: number(x + room * 0.15),
                    y: number(y(below + value)),
                    width: number(room * 0.7),
                    height: number(y(below) - y(below + value)),
                    tone: series.tone,
                });
                below += value;
            }
            let again = labelled == Labels::Days && fits && written == column.label;
            if (at % every == 0 || !fits) && !again {
                written = &column.label;
                labels.push(Mark {
                    x: number(x + room / 2.0),
                    y: number(HEIGHT - 8.0),
                    words: if fits { column.label.clone() } else { (at + 1).to_string() },
                });
            }
        }
        let line = |value: f64| Mark {
            x: number(LEFT - 6.0),
            y: number(y(value)),
            words: if value > 0.0 { scale(value) } else { "0".to_owned() },
        };
        // The line stands where its whole number does: half of five is written as two.
        let mut scale: Vec<Mark> = [0.0, (most / 2.0).floor(), most].map(line).into();
        // Half of one offer is none: such a line would say the same as another.
        if scale[1].words == scale[0].words || scale[1].words == scale[2].words {
            scale.remove(1);
        }
        Self { f, id, title, series, bars, labels, names, scale, columns, empty: most <= 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Caller;

    #[test]
    fn the_highest_column_fills_the_room_and_every_value_stands_in_the_table() {
        let f = Frame::new(&Caller::stranger(&axum::http::HeaderMap::new()));
        let series =
            || vec![Series { tone: "a", words: "Good".into() }, Series { tone: "c", words: "Bad".into() }];
        let column = |label: &str, a: f64, b: f64| Column {
            label: label.into(),
            values: vec![(a, format!("{a}")), (b, format!("{b}"))],
        };
        let columns = vec![column("W1", 3.0, 1.0), column("W2", 0.0, 2.0), column("W3", 0.0, 0.0)];
        let chart = Chart::new(&f, ("test", "Weeks".into()), series(), (Labels::Names, columns), |value| {
            format!("{value}")
        });
        assert_eq!(chart.bars.len(), 3);
        let heights: Vec<&str> = chart.bars.iter().map(|bar| bar.height.as_str()).collect();
        assert_eq!(heights, ["114.0", "38.0", "76.0"]);
        let html = chart.render().expect("a chart");
        for part in ["<th scope=\"row\">W2</th>", "<td class=\"number\">3</td>", "role=\"img\"", "Weeks"] {
            assert!(html.contains(part), "{part} in {html}");
        }
        // The line in the middle stands where the number that is written at it does.
        let chart = Chart::new(
            &f,
            ("test", "Weeks".into()),
            series(),
            (Labels::Names, vec![column("W1", 5.0, 0.0)]),
            |value| format!("{value:.0}"),
        );
        let scale: Vec<(&str, &str)> =
            chart.scale.iter().map(|mark| (mark.words.as_str(), mark.y.as_str())).collect();
        let [(zero, low), (two, middle), (five, high)] = scale[..] else { panic!("{scale:?}") };
        let place = |y: &str| y.parse::<f64>().expect("a number");
        assert_eq!((zero, two, five), ("0", "2", "5"));
        let part = (place(low) - place(middle)) / (place(low) - place(high));
        assert!((part - 0.4).abs() < 0.01, "{part}");
        // Words that do not fit beside each other are told below, in the order of the columns.
        let steps =
            || vec![column("Validate prerequisites", 1.0, 0.0), column("前提条件の検証を確認", 2.0, 0.0)];
        let words = |chart: &Chart<'_>| chart.labels.iter().map(|one| one.words.clone()).collect::<Vec<_>>();
        let two = Chart::new(&f, ("test", "Steps".into()), series(), (Labels::Names, steps()), |_| {
            "under 1 s".to_owned()
        });
        assert_eq!(
            (words(&two), two.names.len()),
            (vec!["Validate prerequisites".to_owned(), "前提条件の検証を確認".to_owned()], 0)
        );
        let six = [steps(), steps(), steps()].into_iter().flatten().collect();
        let six = Chart::new(&f, ("test", "Steps".into()), series(), (Labels::Names, six), |_| {
            "under 1 s".to_owned()
        });
        assert_eq!(words(&six), ["1", "2", "3", "4", "5", "6"]);
        let html = six.render().expect("a chart");
        assert!(html.contains("<li>1 Validate prerequisites</li>"), "{html}");
        // No name is left out; of days some are, and none is written twice.
        let eight = || (1..9).map(|at| column(&format!("S{at}"), 1.0, 0.0)).collect();
        let names =
            Chart::new(&f, ("n", "Names".into()), series(), (Labels::Names, eight()), |_| String::new());
        assert_eq!((words(&names).len(), names.names.len()), (8, 8));
        let days = Chart::new(&f, ("d", "Days".into()), series(), (Labels::Days, eight()), |_| String::new());
        assert_eq!((words(&days), days.names.len()), (["S1", "S3", "S5", "S7"].map(String::from).into(), 0));
        let day = ["1/1", "1/1", "1/2", "1/2", "1/2"].map(|day| column(day, 1.0, 0.0)).into();
        let once = Chart::new(&f, ("o", "Days".into()), series(), (Labels::Days, day), |_| String::new());
        assert_eq!(words(&once), ["1/1", "1/2"]);
        // Nothing is under a second, too, but it is nothing.
        let words: Vec<&str> = six.scale.iter().map(|mark| mark.words.as_str()).collect();
        assert_eq!(words, ["0", "under 1 s"]);
        let none = Chart::new(&f, ("none", "Weeks".into()), series(), (Labels::Names, vec![]), |value| {
            format!("{value}")
        });
        assert!(none.empty && none.render().is_ok());
    }
}
