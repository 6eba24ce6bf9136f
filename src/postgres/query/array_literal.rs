//! Array literals: `{1,NULL,"a \"b\""}`, as PostgreSQL reads arrays from text.

/// An array literal in the making.
#[derive(Debug)]
pub struct ArrayLiteral {
    text: String,
    delimiter: char,
}

impl ArrayLiteral {
    /// An empty one, whose elements `delimiter` separates: `,` for every type but box.
    pub fn new(delimiter: char) -> Self {
        Self { text: "{".into(), delimiter }
    }

    /// Appends an element; `None` is NULL.
    pub fn push(&mut self, element: Option<&str>) {
        self.separate();
        match element {
            None => self.text.push_str("NULL"),
            Some(element) => self.push_quoted(element),
        }
    }

    /// Appends an array.
    pub fn push_array(&mut self, array: &str) {
        self.separate();
        self.text.push_str(array);
    }

    /// The literal.
    pub fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn separate(&mut self) {
        if self.text.len() > 1 {
            self.text.push(self.delimiter);
        }
    }

    /// Quotes are always right, whatever the element's type and text.
    fn push_quoted(&mut self, element: &str) {
        self.text.push('"');
        for c in element.chars() {
            if matches!(c, '"' | '\\') {
                self.text.push('\\');
            }
            self.text.push(c);
        }
        self.text.push('"');
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn literal(elements: &[Option<&str>]) -> String {
        let mut literal = ArrayLiteral::new(',');
        elements.iter().for_each(|element| literal.push(*element));
        literal.finish()
    }

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        assert_eq!(literal(&[]), "{}");
        assert_eq!(literal(&[Some(""), None, Some("NULL")]), r#"{"",NULL,"NULL"}"#);
        assert_eq!(literal(&[Some(r#"a"b\,{}"#)]), r#"{"a\"b\\,{}"}"#);
    }

    #[test]
    fn arrays_nest() {
        let mut outer = ArrayLiteral::new(';');
        outer.push_array(&literal(&[Some("1")]));
        outer.push_array(&literal(&[None]));
        assert_eq!(outer.finish(), r#"{{"1"};{NULL}}"#);
    }

    /// What PostgreSQL's array_in makes of a literal whose elements are all quoted or NULL.
    fn read(literal: &str) -> Vec<Option<String>> {
        let (mut elements, mut chars) = (Vec::new(), literal[1..literal.len() - 1].chars().peekable());
        while let Some(first) = chars.next() {
            match first {
                '"' => {
                    let mut element = String::new();
                    loop {
                        match chars.next().unwrap() {
                            '"' => break,
                            '\\' => element.push(chars.next().unwrap()),
                            c => element.push(c),
                        }
                    }
                    elements.push(Some(element));
                }
                'N' => {
                    assert_eq!(chars.by_ref().take(3).collect::<String>(), "ULL");
                    elements.push(None);
                }
                other => panic!("{other}"),
            }
            assert!(matches!(chars.next(), None | Some(',')));
        }
        elements
    }

    proptest! {
        #[test]
        fn elements_come_back(elements: Vec<Option<String>>) {
            let borrowed: Vec<Option<&str>> = elements.iter().map(Option::as_deref).collect();
            prop_assert_eq!(read(&literal(&borrowed)), elements);
        }
    }
}
