//! Misses against cache-aside by the application: GET, SELECT, SET EX, through real client libraries on both sides.

use crate::crowd;
use crate::figure::{Figure, Goal};
use crate::ids::Shuffled;
use crate::load::entries;
use crate::load::pair::Pair;
use crate::reader::{Aside, Reader};
use crate::stage::{prefix, Stage};

const CLIENTS: usize = 50;
const ROUNDS: usize = 5;

/// 50 clients.
pub fn figures(stage: &Stage) -> Vec<Figure> {
    let (server, plain) = (stage.with_all_rows().server(), stage.plain());
    let mut readers = Reader::crowd(&server, CLIENTS);
    let mut asides = Aside::crowd(&plain, stage, CLIENTS);
    let ids = Shuffled::default();
    let cold = || {
        let mut client = server.client();
        let prefix = prefix(&mut client, "users");
        entries::clear(&mut client, &prefix);
        let before = client.figure("hits");
        let rate = crowd::rate(&mut readers, |reader| reader.read(ids.next()));
        assert_eq!(client.figure("hits"), before, "a row was asked for twice");
        rate
    };
    let aside = || {
        plain.client().call(&["FLUSHALL"]);
        crowd::rate(&mut asides, |aside| aside.read(ids.next()))
    };
    let pair = Pair::of(ROUNDS, cold, aside);
    let figure = Figure::new("aside", "miss against cache-aside by hand, 50 clients", "/s", pair);
    vec![figure.goal(Goal::AtLeast(3.0, 5.0))]
}
