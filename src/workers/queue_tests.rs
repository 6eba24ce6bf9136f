//! Tests of `queue`.
#![allow(clippy::unwrap_used)]

use super::super::batch::ENOUGH;
use super::*;
use crate::cache::{FlightId, TableDefinition};
use crate::postgres::rows::load::KeyValues;
use crate::postgres::rows::statement::LoadPlan;

fn batch() -> Arc<Batch> {
    let table = TableDefinition {
        oid: 1,
        schema: "s".into(),
        relation: "t".into(),
        display: "t".into(),
        columns: vec![],
        unique_keys: vec![],
        named_keys: vec![],
        is_watched: false,
        is_plain: true,
        concerns: vec![1],
        fingerprint: 0,
    };
    Batch::new(LoadPlan { is_unique: true, ..LoadPlan::plain(Arc::new(table), vec![]) })
}

fn task(keys: u64) -> Task {
    let keys = (0..keys).map(|n| (FlightId(n), KeyValues::default())).collect();
    Task { keys, pushed: Instant::now(), deadline: Instant::now(), is_guarded: false }
}

const LIMITS: Limits = Limits { queue_limit: 10, batch_max: 3, calls: true };

fn limits(queue_limit: usize) -> Limits {
    Limits { queue_limit, ..LIMITS }
}

/// What a worker gets that comes now; it waits until there is something.
fn guard(queue: &Queue) -> BatchGuard<'_> {
    match queue.next(|| LIMITS.batch_max) {
        Work::Load(guard) => guard,
        Work::Job(job) => panic!("{job:?}"),
    }
}

fn tickets(queue: &Queue) -> usize {
    queue.shared.line.lock().tickets.len()
}

#[test]
fn one_worker_takes_all_that_waits_for_a_group() {
    let (queue, batch) = (Queue::new(2), batch());
    for _ in 0..3 {
        queue.push(&batch, task(1), LIMITS).unwrap();
    }
    assert_eq!(tickets(&queue), 1, "one ticket brings one worker");
    assert_eq!(guard(&queue).take(3).len(), 3);
    assert!(queue.is_empty() && tickets(&queue) == 0);
}

#[test]
fn what_a_full_batch_leaves_calls_another_worker() {
    let (queue, batch) = (Queue::new(2), batch());
    for _ in 0..3 {
        queue.push(&batch, task(2), LIMITS).unwrap();
    }
    let first = guard(&queue);
    assert_eq!(first.take(3).len(), 2, "a task is never split");
    assert_eq!((queue.len(), tickets(&queue)), (1, 1));
    assert_eq!(guard(&queue).take(3).len(), 1);
}

#[test]
fn a_worker_that_hangs_holds_up_neither_its_own_table_nor_another() {
    let (queue, slow, fast) = (Queue::new(3), batch(), batch());
    queue.push(&slow, task(1), LIMITS).unwrap();
    let hangs = guard(&queue);
    assert_eq!(hangs.take(3).len(), 1);
    for batch in [&fast, &slow] {
        queue.push(batch, task(1), LIMITS).unwrap();
        assert_eq!(guard(&queue).take(3).len(), 1);
    }
    assert!(queue.is_empty());
}

#[test]
fn what_fills_a_statement_waits_for_no_other() {
    let (queue, batch) = (Queue::new(2), batch());
    queue.push(&batch, task(1), LIMITS).unwrap();
    let busy = guard(&queue);
    assert_eq!(busy.take(3).len(), 1);
    let permit = |queue: &Queue| queue.shared.line.lock().permit(busy.began, LIMITS.batch_max);
    queue.push(&batch, task(2), LIMITS).unwrap();
    assert!(matches!(permit(&queue), Some(Permit::At(_))));
    queue.push(&batch, task(1), LIMITS).unwrap();
    assert_eq!(permit(&queue), Some(Permit::Now));
}

#[test]
fn many_keys_wait_for_no_other_statement_though_more_would_fit() {
    let (queue, batch) = (Queue::new(2), batch());
    let limits = Limits { batch_max: 10 * ENOUGH, ..LIMITS };
    queue.push(&batch, task(1), limits).unwrap();
    let busy = guard(&queue);
    assert_eq!(busy.take(limits.batch_max).len(), 1);
    let permit = |queue: &Queue| queue.shared.line.lock().permit(busy.began, limits.batch_max);
    queue.push(&batch, task(ENOUGH as u64 - 1), limits).unwrap();
    assert!(matches!(permit(&queue), Some(Permit::At(_))));
    queue.push(&batch, task(1), limits).unwrap();
    assert_eq!(permit(&queue), Some(Permit::Now));
}

#[test]
fn one_worker_at_a_time_comes_for_what_nobody_waits_for() {
    let (queue, batch) = (Queue::new(2), Batch::in_background(batch().plan().clone()));
    for _ in 0..3 {
        queue.push(&batch, task(2), LIMITS).unwrap();
    }
    let first = guard(&queue);
    assert_eq!(first.take(3).len(), 2);
    queue.push(&batch, task(1), LIMITS).unwrap();
    assert_eq!((queue.len(), tickets(&queue)), (2, 0), "until the worker is done");
    drop(first);
    assert_eq!(tickets(&queue), 1);
    assert_eq!(guard(&queue).take(128).len(), 2);
    assert_eq!((queue.len(), tickets(&queue)), (0, 0), "nothing is left to come for");
}

#[test]
fn what_nobody_waits_for_is_shed_first_and_takes_no_place_from_others() {
    let queue = Queue::new(2);
    let (batch, background) = (batch(), Batch::in_background(batch().plan().clone()));
    for _ in 0..3 {
        queue.push(&background, task(1), limits(4)).unwrap();
    }
    assert_eq!(queue.push(&background, task(1), limits(4)), Err(Full));
    for _ in 0..4 {
        queue.push(&batch, task(1), limits(4)).unwrap();
    }
    assert_eq!(queue.push(&batch, task(1), limits(4)), Err(Full));
}

#[test]
fn a_full_queue_sheds() {
    let (queue, batch) = (Queue::new(2), batch());
    queue.push(&batch, task(1), limits(1)).unwrap();
    assert_eq!(queue.push(&batch, task(1), limits(1)), Err(Full));
    assert!(matches!(queue.push_job(Job::Panic, 1), Err(Full)));
}

#[test]
fn other_errands_wait_for_no_load_and_overtake_none_that_may_begin() {
    let (queue, batch) = (Queue::new(2), batch());
    queue.push(&batch, task(1), LIMITS).unwrap();
    queue.push_job(Job::Panic, 10).unwrap();
    let busy = guard(&queue);
    queue.restart_pace();
    queue.push(&batch, task(1), LIMITS).unwrap();
    assert!(matches!(queue.next(|| 3), Work::Job(Job::Panic)));
    assert_eq!(busy.take(3).len(), 2);
}

/// Workers sleep and wake as the queue tells them; one hangs all the time. Nothing is left behind.
#[test]
fn no_task_stays_behind_while_workers_are_idle() {
    let (queue, batches) = (Queue::new(4), [batch(), batch(), batch()]);
    let began = Instant::now();
    let (hung, released) = crossbeam_channel::bounded::<()>(0);
    let (done, taken) = crossbeam_channel::unbounded();
    let work = |queue: &Queue| {
        while let Work::Load(guard) = queue.next(|| LIMITS.batch_max) {
            let (hangs, tasks): (Vec<_>, Vec<_>) = guard
                .take(LIMITS.batch_max)
                .into_iter()
                .partition(|task| task.keys.iter().any(|(flight, _)| flight.0 == u64::MAX));
            tasks.iter().for_each(|task| done.send(task.keys.len()).unwrap());
            if !hangs.is_empty() {
                let _ = released.recv();
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| work(&queue));
        }
        let first = Task { keys: vec![(FlightId(u64::MAX), KeyValues::default())], ..task(0) };
        queue.push(&batches[0], first, limits(10_000)).unwrap();
        for n in 0..2_000usize {
            queue.push(&batches[n % 3], task(1), limits(10_000)).unwrap();
            if fastrand::u8(..) < 8 {
                // Everything is taken, so that the workers fall asleep.
                while taken.len() <= n {
                    assert!(began.elapsed() < Duration::from_secs(60), "{} of {n}", taken.len());
                    std::thread::yield_now();
                }
            }
        }
        let keys: usize = taken.iter().take(2_000).sum();
        assert_eq!((keys, queue.len()), (2_000, 0));
        drop(hung);
        queue.stop(4);
    });
}
