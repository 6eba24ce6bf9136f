//! Servers that are none, and one that answers as PostgreSQL does.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;

fn message(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 4).unwrap();
    [&[tag], &length.to_be_bytes()[..], content].concat()
}

fn authentication(code: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes(), rest].concat())
}

fn login() -> Login<'static> {
    Login { user: "u", password: Some(b"secret"), database: "d", application_name: "a", options: "" }
}

/// What comes of `step` against a server that sends `answers`, one piece each, and then closes; and what the server was sent.
fn against<T>(
    answers: &[Vec<u8>],
    step: impl AsyncFnOnce(&mut Messages) -> Result<T, ReplicationError>,
) -> (Result<T, ReplicationError>, Vec<u8>) {
    let runtime = runtime().unwrap();
    runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let mut messages = Messages::new(Box::new(ours));
        let serve = serve(theirs, answers);
        let both = futures_util::future::join(
            async {
                let result = step(&mut messages).await;
                drop(messages);
                result
            },
            serve,
        );
        tokio::time::timeout(Duration::from_secs(20), both).await.unwrap()
    })
}

async fn serve(mut stream: DuplexStream, answers: &[Vec<u8>]) -> Vec<u8> {
    for answer in answers {
        // Whoever has heard enough closes.
        let _ = stream.write_all(answer).await;
    }
    let mut sent = Vec::new();
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut sent).await;
    sent
}

fn holds(sent: &[u8], part: &[u8]) -> bool {
    sent.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_session_asks_for_replication_and_gives_its_password_when_it_is_asked_for_it() {
    let answers = [authentication(3, &[]), authentication(0, &[]), message(b'S', b"a\0b\0"), message(b'Z', b"I")];
    let (result, sent) = against(&answers, async |messages| log_in(messages, &login()).await);
    result.unwrap();
    assert!(holds(&sent, b"replication\0database\0") && holds(&sent, b"secret\0"));
}

#[test]
fn what_postgresql_refuses_comes_with_its_code() {
    let refusal = message(b'E', b"SFATAL\0C28P01\0Mno\0\0");
    let (result, _) = against(&[refusal], async |messages| log_in(messages, &login()).await);
    let error = result.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (Some("28P01"), "no"));
}

#[test]
fn no_other_password_than_an_encrypted_one_leaves_by_scram() {
    let answers = [authentication(10, b"SCRAM-SHA-256\0\0"), authentication(11, b"r=other,s=QSXCR+Q6sek8bf92,i=4096")];
    let (result, sent) = against(&answers, async |messages| log_in(messages, &login()).await);
    assert!(result.is_err(), "the server has not repeated our nonce");
    assert!(!holds(&sent, b"secret"));
}

#[test]
fn an_error_leaves_the_session_as_it_was() {
    let row = message(b'D', &[0, 1, 0, 0, 0, 1, b'7']);
    let answers = [message(b'E', b"C55P03\0Mno\0\0"), message(b'Z', b"I"), row, message(b'Z', b"I")].concat();
    let (result, _) = against(&[answers], async |messages| {
        let refused = answers_of(messages).await.unwrap_err();
        assert_eq!(refused.code(), Some("55P03"));
        answers_of(messages).await
    });
    assert_eq!(result.unwrap(), [[Some("7".to_owned())]]);
}

async fn answers_of(messages: &mut Messages) -> Result<Vec<TextRow>, ReplicationError> {
    answers(messages, "SELECT 7").await
}

/// Everything that is streamed until the end, as far as it can be read.
async fn all(messages: &mut Messages) -> Result<Vec<Streamed>, ReplicationError> {
    let mut all = Vec::new();
    while let Ok(received) = messages.next().await {
        all.push(streamed(received)?);
    }
    Ok(all)
}

proptest! {
    #[test]
    fn a_server_that_sends_anything_is_refused_and_never_waited_for(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
    ) {
        let (result, _) = against(&pieces, async |messages| log_in(messages, &login()).await);
        prop_assert!(result.is_err());
        let _ = against(&pieces, all);
    }

    #[test]
    fn however_the_bytes_arrive_the_stream_is_the_same(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..12), cut in 1usize..40,
    ) {
        let data = |content: &Vec<u8>| message(b'd', &[b"w", &[0; 24][..], content].concat());
        let bytes: Vec<u8> = contents.iter().flat_map(data).collect();
        let pieces: Vec<Vec<u8>> = bytes.chunks(cut).map(<[u8]>::to_vec).collect();
        let (result, _) = against(&pieces, all);
        let expected: Vec<Streamed> = contents.iter().map(|content| Streamed::Data(content.clone().into())).collect();
        prop_assert_eq!(result.unwrap(), expected);
    }
}
