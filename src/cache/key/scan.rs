//! Checks on JSON text that its parser does not make when it only looks for where a value ends.

/// Whether arrays and objects in `json` nest deeper than `max` levels. Needs no stack and stops at the first level too many.
pub fn is_deeper_than(json: &str, max: usize) -> bool {
    let mut depth = 0usize;
    let mut structure = Structure::default();
    json.bytes().filter(|byte| structure.contains(*byte)).any(|byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > max
    })
}

/// Appends `json` without the whitespace between its tokens; strings stay as they are.
pub fn write_compact(json: &str, out: &mut Vec<u8>) {
    let mut structure = Structure::default();
    out.extend(json.bytes().filter(|byte| !structure.contains(*byte) || !byte.is_ascii_whitespace()));
}

/// Tells what stands outside of strings, byte by byte.
#[derive(Default)]
struct Structure {
    in_string: bool,
    escaped: bool,
}

impl Structure {
    /// Whether `byte`, the next one, stands outside of strings.
    fn contains(&mut self, byte: u8) -> bool {
        let was_in_string = self.in_string;
        self.in_string ^= byte == b'"' && !self.escaped;
        self.escaped = was_in_string && byte == b'\\' && !self.escaped;
        !was_in_string
    }
}

/// Whether every `\ud800`–`\udfff` in `json` is half of a pair. Text without a backslash is passed over quickly.
pub fn surrogates_are_paired(json: &str) -> bool {
    let mut rest = json;
    let mut awaits_low = false;
    while let Some(at) = rest.find('\\') {
        let escape = rest.get(at..).unwrap_or_default();
        awaits_low = match (code_unit(escape), awaits_low) {
            (Some(0xdc00..=0xdfff), true) if at == 0 => false,
            (Some(0xd800..=0xdbff), false) => true,
            (Some(0xd800..=0xdfff), _) | (_, true) => return false,
            _ => false,
        };
        // Past the backslash and the letter; what stands there in text that is no JSON does not matter.
        rest = escape.get(if code_unit(escape).is_some() { 6 } else { 2 }..).unwrap_or_default();
    }
    !awaits_low
}

/// The number in an escape `\uXXXX` that `text` begins with.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        assert!(!is_deeper_than("1", 0));
        assert!(is_deeper_than("[]", 0));
        assert!(!is_deeper_than("[[],[],{}]", 2));
        assert!(is_deeper_than("[[],[{}]]", 2));
        assert!(!is_deeper_than(r#"["[[[[\"[[\\",{"]]{{":"\\"}]"#, 2));
        assert!(is_deeper_than(r#"["\\",[[]]]"#, 2));
        assert!(is_deeper_than(&"[".repeat(200_000), 32));
    }

    #[test]
    fn surrogates_come_in_pairs() {
        for paired in [r"a", r"\ud83d\ude00", r"\\ud800", r"x\uD83D\uDE00\uD83D\uDE00\n", r"\u0041\\", r"\u00"] {
            assert!(surrogates_are_paired(paired), "{paired}");
        }
        for lone in
            [r"\ud83d", r"\ude00", r"\ud83d\ud83d\ude00", r"\ud83dx\ude00", r"\ud83d\n", r"\\\ud83d", r"\ud83d\u0041"]
        {
            assert!(!surrogates_are_paired(lone), "{lone}");
        }
    }

    proptest! {
        #[test]
        fn pairs_are_found_as_the_parser_finds_them(inside in "(\\\\u[dD][89aAbBcCdD][0-9]{2}|\\\\[nt\\\\]|[a-u]){0,6}") {
            let json = format!("\"{inside}\"");
            prop_assert_eq!(surrogates_are_paired(&json), serde_json::from_str::<String>(&json).is_ok());
        }

        #[test]
        fn any_text_is_scanned(text in "[\\\\u\"\\[\\]dcé0-9]{0,40}") {
            let _ = (surrogates_are_paired(&text), is_deeper_than(&text, 3));
        }
    }
}
