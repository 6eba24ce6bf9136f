//! Figures: one thing that was measured, with what it is held against.

use serde_json::{json, Value};

use crate::load::pair::Pair;

/// What a figure should come to, as a ratio.
#[derive(Clone, Copy, PartialEq)]
pub enum Goal {
    /// Nothing: it is only told.
    None,
    /// So much at least; and what is aimed at.
    AtLeast(f64, f64),
    /// So much at most; and what is aimed at.
    AtMost(f64, f64),
}

/// One thing that was measured.
#[derive(Clone)]
pub struct Figure {
    /// The group that it belongs to.
    pub group: String,
    /// What it is.
    pub name: String,
    /// What both sides are counted in.
    pub unit: String,
    /// What both sides came to; one that stands beside nothing has no other side.
    pub pair: Pair,
    /// What it should come to.
    pub goal: Goal,
}

impl Figure {
    /// One without a goal. A pair whose other side is not a number stands for itself.
    pub fn new(group: &str, name: impl Into<String>, unit: &str, pair: Pair) -> Self {
        Self { group: group.into(), name: name.into(), unit: unit.into(), pair, goal: Goal::None }
    }

    /// One that is compared with nothing.
    pub fn alone(group: &str, name: impl Into<String>, unit: &str, ours: f64) -> Self {
        Self::new(group, name, unit, Pair { ours, theirs: f64::NAN, ratio: f64::NAN })
    }

    /// With a goal.
    pub fn goal(self, goal: Goal) -> Self {
        Self { goal, ..self }
    }

    /// How it did: `aim`, `met`, `missed`; empty without a goal.
    pub fn verdict(&self) -> &'static str {
        let ratio = self.pair.ratio;
        let (is_met, is_aim) = match self.goal {
            Goal::None => return "",
            Goal::AtLeast(least, aim) => (ratio >= least, ratio >= aim),
            Goal::AtMost(most, aim) => (ratio <= most, ratio <= aim),
        };
        match (is_met, is_aim) {
            (true, true) => "aim",
            (true, false) => "met",
            _ => "missed",
        }
    }

    /// Its ratio, and what that should be, as text: ratio, at least, aim.
    pub fn texts(&self) -> [String; 3] {
        let ratio = if self.pair.ratio.is_nan() { String::new() } else { format!("{:.2}", self.pair.ratio) };
        match self.goal {
            Goal::None => [ratio, String::new(), String::new()],
            Goal::AtLeast(least, aim) => [ratio, format!("{least:.2}"), format!("{aim:.2}")],
            Goal::AtMost(most, aim) => [format!("{:.3}", self.pair.ratio), format!("≤ {most:.2}"), format!("{aim:.2}")],
        }
    }

    /// As it is recorded.
    pub fn to_json(&self) -> Value {
        let (least, most, aim) = match self.goal {
            Goal::None => (None, None, None),
            Goal::AtLeast(least, aim) => (Some(least), None, Some(aim)),
            Goal::AtMost(most, aim) => (None, Some(most), Some(aim)),
        };
        // What is not a number becomes null.
        json!({
            "group": self.group, "name": self.name, "unit": self.unit,
            "ours": self.pair.ours, "theirs": self.pair.theirs, "ratio": self.pair.ratio,
            "at_least": least, "at_most": most, "aim": aim, "verdict": self.verdict(),
        })
    }

    /// What was recorded; `None` for anything else.
    pub fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let number = |name: &str| value.get(name).and_then(Value::as_f64);
        let goal = match (number("at_least"), number("at_most"), number("aim")) {
            (Some(least), None, Some(aim)) => Goal::AtLeast(least, aim),
            (None, Some(most), Some(aim)) => Goal::AtMost(most, aim),
            _ => Goal::None,
        };
        let side = |name: &str| number(name).unwrap_or(f64::NAN);
        let pair = Pair { ours: number("ours")?, theirs: side("theirs"), ratio: side("ratio") };
        Some(Self { group: text("group")?, name: text("name")?, unit: text("unit")?, pair, goal })
    }
}
