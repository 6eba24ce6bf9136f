//! Code of a page: its blocks, and the commands in its sentences.

/// What a reader may paste, and where it stands.
pub struct Block {
    /// The line of the page, counted from 1.
    pub line: usize,
    /// As the fence names it; `redis` for a command in a sentence.
    pub language: String,
    /// What is pasted.
    pub text: String,
    /// The `text` block behind it: what it prints.
    pub answer: Option<String>,
}

/// What stands in a page, in its order. Parts that are generated have tests of their own.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = vec![];
    let mut lines = (1..).zip(page.lines());
    let mut is_generated = false;
    let mut may_answer = false;
    while let Some((line, text)) = lines.next() {
        is_generated = (is_generated || text.starts_with("<!-- generated: ")) && text != "<!-- end -->";
        let Some(language) = text.strip_prefix("```") else {
            may_answer &= text.is_empty();
            blocks.extend(commands_in(text).filter(|_| !is_generated).map(|command| block(line, "redis", command)));
            continue;
        };
        let inside: Vec<&str> = lines.by_ref().map(|(_, text)| text).take_while(|text| *text != "```").collect();
        let text = inside.join("\n");
        match blocks.last_mut().filter(|_| may_answer && language == "text") {
            Some(asked) => asked.answer = Some(text),
            None if !is_generated => blocks.push(block(line, language, &text)),
            None => {}
        }
        may_answer = !is_generated && language != "text";
    }
    blocks
}

fn block(line: usize, language: &str, text: &str) -> Block {
    Block { line, language: language.to_owned(), text: text.to_owned(), answer: None }
}

/// The whole commands of a sentence: those with JSON or SQL, and without a gap to fill in.
fn commands_in(sentence: &str) -> impl Iterator<Item = &str> {
    let spans = sentence.split('`').skip(1).step_by(2);
    spans.filter(|span| span.starts_with("PGCACHE.") && span.contains(['{', '[', '\'', '"']) && !span.contains('<'))
}

#[test]
fn a_page_has_blocks_answers_and_commands_in_sentences() {
    let page = "Say `PGCACHE.READ users '{\"id\":1}'`, not `PGCACHE.READ`.\n```sh\na\nb\n```\n\n```text\nc\n```\n```text\nd\n```\n\
                <!-- generated: x -->\n`PGCACHE.READ users {\"id\":1}`\n```text\nPGCACHE.READ <table>\n```\n<!-- end -->\n```redis\nPING\n```\nwords\n```text\ne\n```";
    let found: Vec<_> = blocks(page).into_iter().map(|b| (b.line, b.language, b.text, b.answer)).collect();
    let expected = [
        (1, "redis", "PGCACHE.READ users '{\"id\":1}'", None),
        (2, "sh", "a\nb", Some("c")),
        (10, "text", "d", None),
        (19, "redis", "PING", None),
        (23, "text", "e", None),
    ];
    let expected = expected
        .map(|(line, language, text, answer)| (line, language.to_owned(), text.to_owned(), answer.map(str::to_owned)));
    assert_eq!(found, expected);
}
