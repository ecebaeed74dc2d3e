use super::interval::median;
use std::time::Instant;

/// One thing whose cost is measured.
pub(super) struct Row<'a> {
    pub(super) name: &'static str,
    /// Whether an event with its data arrives somewhere, other than a number that grows.
    pub(super) carries_event: bool,
    /// Does it so many times.
    operate: Box<dyn FnMut(usize) + 'a>,
    /// Lets what works in the background catch up; not timed.
    settle: Box<dyn FnMut() + 'a>,
    nanos: Vec<f64>,
    /// Heap allocations of an operation on its own thread.
    pub(super) allocations: f64,
}

impl<'a> Row<'a> {
    pub(super) fn new(name: &'static str, operate: impl FnMut(usize) + 'a) -> Self {
        Self {
            name,
            carries_event: false,
            operate: Box::new(operate),
            settle: Box::new(|| {}),
            nanos: Vec::new(),
            allocations: 0.0,
        }
    }

    pub(super) fn settle(mut self, settle: impl FnMut() + 'a) -> Self {
        self.settle = Box::new(settle);
        self
    }

    pub(super) fn carries_event(mut self) -> Self {
        self.carries_event = true;
        self
    }

    /// Median nanoseconds of an operation.
    pub(super) fn nanos(&self) -> f64 {
        median(&self.nanos)
    }
}

/// Batches before anything counts.
const WARM_UP: usize = 20;

/// Runs all rows in each round, in an order drawn anew so that no row follows another more often,
/// `batch` operations in a row.
pub(super) fn play(rows: &mut [Row<'_>], rounds: usize, batch: usize) {
    for row in rows.iter_mut() {
        for _ in 0..WARM_UP {
            (row.operate)(batch);
            (row.settle)();
        }
        let counts: Vec<f64> = (0..5)
            .map(|_| {
                let counted = allocation_counter::measure(|| (row.operate)(batch));
                (row.settle)();
                counted.count_total as f64 / batch as f64
            })
            .collect();
        row.allocations = median(&counts);
    }
    let mut draws = fastrand::Rng::with_seed(1);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for _ in 0..rounds {
        draws.shuffle(&mut order);
        for at in &order {
            let row = &mut rows[*at];
            // The row before left its own code and data in the caches.
            (row.operate)(batch / 4);
            let started = Instant::now();
            (row.operate)(batch);
            let taken = started.elapsed();
            row.nanos.push(taken.as_nanos() as f64 / batch as f64);
            (row.settle)();
        }
    }
}
