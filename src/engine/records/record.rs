//! Records: what the module keeps among the entries, because it is saved and replicated with them. Whoever has the right
//! to their keys may write there, so that a record is believed for its seal, or for its master's word, alone.

use crate::cache::seal::{Digest, Sealed};
use crate::cache::{Refusal, Stored};
use crate::engine::records::signing::Signing;
use crate::engine::{Store, StoreKey};

/// What a record says, or that there is none, as its digest.
pub type Said = Option<Digest>;

/// What is known of one record.
#[derive(Debug, Default)]
pub struct Record {
    /// Whether it has been read or written since the module was loaded.
    is_read: bool,
    /// Whether it may be missing from the keyspace, or differ from what is known.
    is_due: bool,
    /// What the memory took over or saved last.
    said: Said,
    /// On a replica: what its master's record says, by the master's own word.
    word: Option<Said>,
    /// What replicas have been told last.
    announced: Option<Said>,
    /// Whether replicas were ever told anything.
    was_announced: bool,
    /// What is wrong with what stands in the keyspace.
    complaint: Option<&'static str>,
    /// How often something was found there that nobody vouches for.
    rejected: u64,
}

impl Record {
    /// It may be gone: what the memory knows is to be written, if it knows anything.
    pub fn lose(&mut self) {
        self.is_due |= self.is_read;
    }

    /// Whether the memory knows what it says.
    pub fn is_read(&self) -> bool {
        self.is_read
    }

    /// Whether it is to be written.
    pub fn is_due(&self) -> bool {
        self.is_due
    }

    /// Whether what the memory took over or saved last stands in the keyspace.
    pub fn is_settled(&self) -> bool {
        self.is_read && !self.is_due
    }

    /// What the memory took over or saved last.
    pub fn said(&self) -> Said {
        self.said
    }

    /// What is wrong with what stands in the keyspace, if anything is.
    pub fn complaint(&self) -> Option<&'static str> {
        self.complaint
    }

    /// How often something was found there that nobody vouches for.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// The master has said what its record says.
    pub fn vouch(&mut self, said: Said) {
        self.word = Some(said);
    }

    /// Whether the master has said what its record says.
    pub fn is_vouched(&self) -> bool {
        self.word.is_some()
    }

    /// The server has another master now, another data set of its master's, or none.
    pub fn forget_word(&mut self) {
        self.word = None;
        self.announced = None;
    }

    /// Replicas may not have heard what it says.
    pub fn announce_again(&mut self) {
        self.announced = None;
    }

    /// What replicas are to be told, if they do not know it. That nothing was ever there they know.
    pub fn event(&self) -> Option<Said> {
        let is_news = self.announced != Some(self.said);
        let is_known_anyway = self.said.is_none() && !self.was_announced;
        (self.is_settled() && is_news && !is_known_anyway).then_some(self.said)
    }

    /// Replicas have been told.
    pub fn announced(&mut self) {
        (self.announced, self.was_announced) = (Some(self.said), true);
    }

    /// Reads it. Returns what is to stand in memory from now on; `None`: what stands there stays.
    pub fn read<S: Store, T: Default>(
        &mut self,
        store: S,
        key: &S::Key,
        signing: &mut Signing,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let is_replica = store.is_replica();
        store.read(key, |stored| match self.judge(key.as_bytes(), &stored, is_replica, signing) {
            Judgement::Empty => Some(self.taken(None, T::default())),
            Judgement::Believed(found) => {
                let value = parse(found.content).unwrap_or_default();
                Some(self.taken(Some(found.digest), value))
            }
            Judgement::Foreign => {
                self.reject(key.as_bytes(), &stored);
                self.nothing_yet()
            }
            Judgement::Unknown => self.nothing_yet(),
        })
    }

    /// What is not believed leaves the memory as it is, which knows nothing at first.
    fn nothing_yet<T: Default>(&mut self) -> Option<T> {
        let is_first = !std::mem::replace(&mut self.is_read, true);
        is_first.then(T::default)
    }

    fn taken<T>(&mut self, said: Said, value: T) -> T {
        (self.is_read, self.is_due, self.said, self.complaint) = (true, false, said, None);
        value
    }

    fn judge<'s>(&self, key: &[u8], stored: &'s Stored<'s>, is_replica: bool, signing: &mut Signing) -> Judgement<'s> {
        let found = match stored {
            Stored::Bytes(bytes) => Sealed::parse(bytes),
            Stored::Nothing | Stored::OtherType => None,
        };
        let is_missing = *stored == Stored::Nothing;
        match (self.word.filter(|_| is_replica), found) {
            (Some(None), _) => Judgement::Empty,
            (Some(said), Some(found)) if said == Some(found.digest) => Judgement::Believed(found),
            // The record comes first, and then the word about it.
            (Some(_), _) => Judgement::Unknown,
            (None, _) if is_missing => Judgement::Empty,
            // Only a memory that knows nothing has to ask the keyspace.
            (None, Some(found)) if !self.is_read && signing.has_sealed(key, &found) => Judgement::Believed(found),
            (None, Some(_)) if is_replica => Judgement::Unknown,
            (None, _) => Judgement::Foreign,
        }
    }

    /// The master has given its word, and the record was looked at: anything else that stands there is somebody's.
    pub fn check_word<S: Store>(&mut self, store: S, key: &S::Key) {
        if self.word != Some(self.said) {
            store.read(key, |stored| {
                if stored != Stored::Nothing {
                    self.reject(key.as_bytes(), &stored);
                }
            });
        }
    }

    /// Somebody else has written the key of a master: whether that is what was there is looked at, for the figures.
    pub fn touched<S: Store>(&mut self, store: S, key: &S::Key) {
        self.lose();
        // A file that is being read writes the key as well, as often as it has changed.
        if !self.is_read || store.is_loading() {
            return;
        }
        store.read(key, |stored| {
            let is_ours = match &stored {
                Stored::Nothing => true,
                Stored::Bytes(bytes) => Sealed::parse(bytes).is_some_and(|found| self.said == Some(found.digest)),
                Stored::OtherType => false,
            };
            if !is_ours {
                self.reject(key.as_bytes(), &stored);
            }
        });
    }

    /// Counts what nobody vouches for, and says so in the log the first time. Its content is an attacker's: it is not shown.
    fn reject(&mut self, key: &[u8], stored: &Stored<'_>) {
        let reason = match stored {
            Stored::Bytes([b'[', ..]) => "has no seal: it is of an earlier version, or forged; define anew what it held",
            _ => "was not written by this server, or with another definitions_key_file: it is ignored; define anew what is missing",
        };
        if self.rejected == 0 {
            log::warn!("the record {} {reason}", String::from_utf8_lossy(key));
        }
        self.rejected += 1;
        self.complaint = Some(reason);
    }

    /// Seals and writes it, if it `has_place`; `None`: there is nothing to be kept. Fails as the store does.
    pub fn save<S: Store>(
        &mut self,
        store: S,
        key: &S::Key,
        signing: &mut Signing,
        text: Option<&str>,
        has_place: bool,
    ) -> Result<(), Refusal> {
        let digest = text.map(|text| Digest::of(text.as_bytes()));
        let saved = match text.zip(digest) {
            _ if !has_place => Err(Refusal::Refused),
            Some((text, digest)) => signing.key_to_sign().map_or(Err(Refusal::Refused), |signer| {
                store.put(key, &signer.seal(key.as_bytes(), text, digest), None)
            }),
            None => store.remove(key),
        };
        // What does not fit now is tried again.
        self.is_due = matches!(saved, Err(Refusal::Paused | Refusal::Refused | Refusal::Elsewhere));
        self.is_read = true;
        if saved != Err(Refusal::NotMaster) {
            self.said = digest;
        }
        if saved.is_ok() {
            self.complaint = None;
        }
        saved
    }
}

/// What becomes of a record that was found.
enum Judgement<'s> {
    /// There is nothing, and that is right.
    Empty,
    /// It is what the master, or an earlier run, has written.
    Believed(Sealed<'s>),
    /// Nobody vouches for it.
    Foreign,
    /// The master has not said yet.
    Unknown,
}
