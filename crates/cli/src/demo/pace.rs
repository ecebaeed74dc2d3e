use std::time::Duration;

/// Lateness that is made up for; beyond it the schedule moves, so that a machine that was busy for
/// a while is not flooded afterwards.
const CATCH_UP: Duration = Duration::from_millis(100);

/// Spreads operations evenly over time.
#[derive(Debug)]
pub(crate) struct Pace {
    each: Duration,
    due: Duration,
}

impl Pace {
    /// So many operations a second, from `now` on.
    pub(crate) fn new(per_second: u64, now: Duration) -> Self {
        Self { each: Duration::from_secs(1).div_f64(per_second.max(1) as f64), due: now }
    }

    /// How long to wait before the next `operations`, which count as done.
    pub(crate) fn wait(&mut self, operations: usize, now: Duration) -> Duration {
        let wait = self.due.saturating_sub(now);
        let begin = self.due.max(now.saturating_sub(CATCH_UP));
        self.due = begin + self.each.mul_f64(operations as f64);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use std::time::Duration;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn operations_are_spread_evenly() {
        let mut pace = Pace::new(100, ms(0));
        assert_eq!(pace.wait(5, ms(0)), ms(0));
        assert_eq!(pace.wait(5, ms(20)), ms(30));
        assert_eq!(pace.wait(5, ms(60)), ms(40));
    }

    #[test]
    fn a_short_delay_is_made_up_for_and_a_long_one_is_not() {
        let mut pace = Pace::new(100, ms(0));
        pace.wait(5, ms(0));
        assert_eq!(pace.wait(5, ms(80)), ms(0), "30 ms late");
        assert_eq!(pace.wait(5, ms(90)), ms(10), "back on the schedule");
        assert_eq!(pace.wait(5, ms(10_000)), ms(0));
        assert_eq!(pace.wait(5, ms(10_000)), ms(0), "at most 100 ms are made up for");
        assert_eq!(pace.wait(5, ms(10_000)), ms(0));
        assert_eq!(pace.wait(5, ms(10_000)), ms(50));
    }
}
