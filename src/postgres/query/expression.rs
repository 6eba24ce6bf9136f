//! Expressions as EXPLAIN prints them, and the bodies of functions: which functions they call, and whether they read the
//! clock by a keyword.

use std::iter::Peekable;
use std::str::CharIndices;

/// Keywords that read the clock.
const CLOCKS: [&str; 5] =
    ["CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"];

/// Something that an expression mentions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mention {
    /// A call, maybe: some keywords and types are followed by a parenthesis too.
    Call {
        /// The schema, where it is told.
        schema: Option<String>,
        /// The function.
        name: String,
    },
    /// A keyword that reads the clock.
    Clock(&'static str),
}

/// What `text`, an expression that PostgreSQL printed, mentions.
pub fn in_expression(text: &str) -> Vec<Mention> {
    Scan { text, chars: text.char_indices().peekable(), is_source: false }.mentions()
}

/// What `text`, which somebody wrote in whatever language, may mention, also in strings and comments.
pub fn in_source(text: &str) -> Vec<Mention> {
    Scan { text, chars: text.char_indices().peekable(), is_source: true }.mentions()
}

struct Scan<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
    /// Whether people wrote it: in any case, with blanks before parentheses, with comments in which an apostrophe ends
    /// nothing.
    is_source: bool,
}

impl Scan<'_> {
    fn mentions(mut self) -> Vec<Mention> {
        let mut found = Vec::new();
        while let Some(&(_, c)) = self.chars.peek() {
            if c == '"' || begins_name(c) {
                found.extend(self.name());
            } else if c == '\'' && !self.is_source {
                self.quoted('\'');
            } else if c == '$' || c.is_ascii_digit() {
                self.word();
            } else {
                self.chars.next();
            }
        }
        found
    }

    /// A name, with what it is qualified by, and what comes of it.
    fn name(&mut self) -> Option<Mention> {
        let mut path = vec![self.part()];
        while self.take('.') {
            match self.chars.peek() {
                Some(&(_, c)) if c == '"' || begins_name(c) => path.push(self.part()),
                _ => return None,
            }
        }
        if let [(word, false)] = &path[..] {
            if let Some(keyword) = clock(word) {
                return Some(Mention::Clock(keyword));
            }
        }
        if self.is_source {
            while self.chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        }
        if self.chars.peek().map(|(_, c)| *c) != Some('(') {
            return None;
        }
        let mut path = path.into_iter().rev().map(|(word, is_quoted)| self.folded(word, is_quoted));
        Some(Mention::Call { name: path.next()?, schema: path.next() })
    }

    /// One part of a name, and whether it is quoted.
    fn part(&mut self) -> (String, bool) {
        match self.chars.peek() {
            Some((_, '"')) => (self.quoted('"'), true),
            _ => (self.word(), false),
        }
    }

    fn folded(&self, word: String, is_quoted: bool) -> String {
        if self.is_source && !is_quoted {
            return word.to_ascii_lowercase();
        }
        word
    }

    fn take(&mut self, wanted: char) -> bool {
        self.chars.next_if(|(_, c)| *c == wanted).is_some()
    }

    /// Letters, digits and what else a name goes on with.
    fn word(&mut self) -> String {
        let start = self.chars.next().map_or(self.text.len(), |(at, _)| at);
        while self.chars.next_if(|(_, c)| goes_on(*c)).is_some() {}
        let end = self.chars.peek().map_or(self.text.len(), |(at, _)| *at);
        self.text.get(start..end).unwrap_or_default().to_owned()
    }

    /// What stands between two of `quote`; two in a row are one of it.
    fn quoted(&mut self, quote: char) -> String {
        let mut content = String::new();
        self.take(quote);
        while let Some((_, c)) = self.chars.next() {
            if c == quote && !self.take(quote) {
                break;
            }
            content.push(c);
        }
        content
    }
}

fn clock(word: &str) -> Option<&'static str> {
    CLOCKS.into_iter().find(|clock| clock.eq_ignore_ascii_case(word))
}

fn begins_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || !c.is_ascii()
}

fn goes_on(c: char) -> bool {
    c == '$' || c.is_ascii_digit() || begins_name(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(mentions: Vec<Mention>) -> Vec<String> {
        let name = |mention| match mention {
            Mention::Call { schema, name } => schema.into_iter().chain([name]).collect::<Vec<_>>().join("/"),
            Mention::Clock(word) => format!("!{word}"),
        };
        mentions.into_iter().map(name).collect()
    }

    #[test]
    fn calls_are_names_before_a_parenthesis() {
        let text = r#"((lower(t.name) = 'x') AND (app."Odd ""name"(t.id, $1) > "f(x)"))"#;
        assert_eq!(calls(in_expression(text)), ["lower", "app/Odd \"name"]);
        assert_eq!(calls(in_expression("count(*), é(1)")), ["count", "é"]);
        assert_eq!(calls(in_expression("((t.c).f = ANY (t.a))")), [""; 0]);
    }

    #[test]
    fn strings_are_left_out() {
        assert_eq!(calls(in_expression(r"concat('it''s random()', E'\\', b)")), ["concat"]);
    }

    #[test]
    fn clocks_are_keywords() {
        assert_eq!(calls(in_expression("(t.d < CURRENT_DATE)")), ["!CURRENT_DATE"]);
        assert_eq!(calls(in_expression("LOCALTIME(0)")), ["!LOCALTIME"]);
        assert_eq!(calls(in_expression(r#"(t."CURRENT_DATE", "CURRENT_DATE")"#)), [""; 0]);
    }

    #[test]
    fn source_is_searched_as_a_whole() {
        let text = "BEGIN -- don't\n RETURN Now () + current_date; EXECUTE 'SELECT random()'; END";
        assert_eq!(calls(in_source(text)), ["now", "!CURRENT_DATE", "random"]);
    }

    #[test]
    fn whatever_is_scanned_comes_to_an_end() {
        for text in ["", "'", "\"", "a.", "a.\"", "$", "1e", "(", "a(", "é", "'''", "\"a\".\"b\"("] {
            in_expression(text);
            in_source(text);
        }
    }
}
