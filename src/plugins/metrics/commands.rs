//! How long commands took, and where their time went.

use prometheus::proto::MetricFamily;

use super::family::Family;
use super::histogram::Histogram;
use crate::plugins::call::Ended;

/// Durations of all commands since the last reset.
#[derive(Debug, Default, Clone)]
pub struct Durations {
    by_command: Vec<(&'static str, Histogram)>,
    queue: Histogram,
    postgres: Histogram,
    main: Histogram,
}

impl Durations {
    /// A command was answered.
    pub fn ended(&mut self, call: &Ended<'_>) {
        self.main.observe(call.main_us());
        if call.spent.postgres_us > 0 {
            self.queue.observe(call.spent.queue_us);
            self.postgres.observe(call.spent.postgres_us);
        }
        self.command(call.command).observe(call.duration_us);
    }

    fn command(&mut self, name: &'static str) -> &mut Histogram {
        // A dozen at most. The same text may stand in two places, but hardly ever does.
        let find =
            |is_it: fn(&str, &str) -> bool| self.by_command.iter().position(|(known, _)| is_it(known, name));
        let place =
            find(|known, name| std::ptr::eq(known, name)).or_else(|| find(|known, name| known == name));
        let place = place.unwrap_or_else(|| {
            self.by_command.push((name, Histogram::default()));
            self.by_command.len() - 1
        });
        &mut self.by_command[place].1
    }

    /// As the page takes them.
    pub fn families(&self) -> Vec<MetricFamily> {
        let name = "pgcache_command_duration_seconds";
        let mut commands = Family::histogram(name, "Time from a command's arrival to its answer.");
        for (command, histogram) in &self.by_command {
            commands.add_histogram(&[("command", command)], histogram);
        }
        let one = |name, help, histogram| Family::histogram(name, help).with_histogram(&[], histogram).done();
        vec![
            commands.done(),
            one(
                "pgcache_queue_duration_seconds",
                "Time that commands with a load waited for a worker.",
                &self.queue,
            ),
            one(
                "pgcache_postgres_duration_seconds",
                "Time that commands with a load waited for PostgreSQL.",
                &self.postgres,
            ),
            one(
                "pgcache_main_thread_duration_seconds",
                "The rest of every command's time: the server's main thread.",
                &self.main,
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_histogram_wherever_it_stands() {
        let mut durations = Durations::default();
        for name in ["pgcache.read", "pgcache.write"] {
            // At an address of its own each time.
            for _ in 0..3 {
                durations.command(String::from(name).leak()).observe(1);
            }
        }
        let told: Vec<_> = durations
            .by_command
            .iter()
            .map(|(name, times)| (*name, times.sample().get_sample_count()))
            .collect();
        assert_eq!(told, [("pgcache.read", 3), ("pgcache.write", 3)]);
    }
}
