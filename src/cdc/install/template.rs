//! Filling in the SQL templates: `@name@` stands for a value.

/// Puts the values in their places, in one pass: a value that looks like a place stays as it is.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('@') {
        text.push_str(before);
        let place = after.split_once('@').and_then(|(name, behind)| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (value, behind))
        });
        match place {
            Some((value, behind)) => {
                text.push_str(value);
                rest = behind;
            }
            None => {
                text.push('@');
                rest = after;
            }
        }
    }
    text + rest
}

/// A string constant, whatever `standard_conforming_strings` says.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        return format!("E'{}'", quoted.replace('\\', "\\\\"));
    }
    format!("'{quoted}'")
}

/// A name for a comment: one that holds a line end would end the comment.
pub(crate) fn title(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A dollar quote that none of the texts inside of it holds.
pub(crate) fn dollar_quote(inside: &[&str]) -> String {
    let is_free = |quote: &String| !inside.iter().any(|text| text.contains(quote.as_str()));
    let mut tries = std::iter::once("$pgcache$".to_owned()).chain((1..).map(|n| format!("$pgcache{n}$")));
    tries.find(is_free).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_looks_like_a_place_stays_as_it_is() {
        assert_eq!(fill("a @x@ b @y@ c@", &[("x", "@y@"), ("y", "1")]), "a @y@ b 1 c@");
        assert_eq!(fill("me@x@y@", &[("y", "1")]), "me@x1");
    }

    #[test]
    fn constants_are_the_same_with_both_settings_for_backslashes() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    }

    #[test]
    fn a_name_cannot_end_a_comment_or_a_dollar_quote() {
        assert_eq!(title("a\r\nDROP"), "a  DROP");
        assert_eq!(dollar_quote(&["a $pgcache$ b", "$pgcache1$"]), "$pgcache2$");
    }
}
