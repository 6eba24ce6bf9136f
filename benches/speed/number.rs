//! Numbers as people read them.

/// Three digits that say something: `1,230,000`, `147,000`, `61.2`, `0.123`; a dash for what is not a number.
pub fn shown(number: f64) -> String {
    if number.is_nan() {
        return "–".into();
    }
    if number.abs() < 100.0 {
        return if number.abs() < 1.0 { format!("{number:.3}") } else { format!("{number:.1}") };
    }
    let step = 10f64.powi(number.abs().log10().floor() as i32 - 2);
    grouped((number / step).round() * step)
}

fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
