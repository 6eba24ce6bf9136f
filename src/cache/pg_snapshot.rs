//! Snapshots: which transactions had ended when PostgreSQL took a look.

use std::str::FromStr;

/// A `pg_snapshot`, as PostgreSQL writes it: `xmin:xmax:xip,…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PgSnapshot {
    /// Transactions before it had all ended.
    xmin: u64,
    /// Transactions from here on had not begun to write.
    pub xmax: u64,
    /// Those before it that had not ended, ascending.
    pub running: Vec<u64>,
}

impl FromStr for PgSnapshot {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, ':');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (xmin, xmax) = (number().ok_or(())?, number().ok_or(())?);
        let listed = parts.next().ok_or(())?;
        let running = listed.split(',').filter(|xid| !xid.is_empty()).map(str::parse).collect::<Result<_, _>>();
        Ok(Self { xmin, xmax, running: running.map_err(drop)? })
    }
}

impl std::fmt::Display for PgSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.xmin, self.xmax, self.running_list())
    }
}

impl PgSnapshot {
    /// One that has seen everything there will ever be: nothing comes after it.
    pub const fn never() -> Self {
        Self { xmin: u64::MAX, xmax: u64::MAX, running: Vec::new() }
    }

    /// The transactions that had not ended, with commas in between.
    pub fn running_list(&self) -> String {
        let texts: Vec<String> = self.running.iter().map(u64::to_string).collect();
        texts.join(",")
    }

    /// Whether the transaction had ended: what it wrote is seen, if it was committed.
    pub fn has_ended(&self, xid: u64) -> bool {
        xid < self.xmin || (xid < self.xmax && self.running.binary_search(&xid).is_err())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> PgSnapshot {
        text.parse().unwrap()
    }

    #[test]
    fn a_snapshot_is_read_and_written_as_postgresql_has_it() {
        for text in ["5:5:", "5:9:5,7", "18446744073709551614:18446744073709551615:"] {
            assert_eq!(snapshot(text).to_string(), text);
        }
        for text in ["", "5", "5:6", "a:5:", "5:6:x"] {
            assert_eq!(text.parse::<PgSnapshot>(), Err(()), "{text}");
        }
    }
}
