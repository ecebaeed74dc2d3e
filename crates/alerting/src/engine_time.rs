use std::time::Duration;
use telemetry_models::Timestamp;

/// A timestamp so far behind the newest one is not merely late.
const LATE: Duration = Duration::from_secs(60);
/// So many events in a row far behind mean that the clock was set back.
const SET_BACK: u32 = 16;

/// One time that never goes back, made of two clocks that may jump: the events' timestamps and the
/// ticks.
///
/// Forward steps are believed (a sleeping machine and a corrected clock look alike). A step back
/// stops time instead of reversing it: at once for ticks, for events when sixteen in a row lie
/// more than a minute behind, because single ones are just late. Events from the past (an import)
/// carry their own time: ticks then only add the time that passes between them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EngineTime {
    line: Option<Timestamp>,
    newest: Option<Timestamp>,
    newest_line: Timestamp,
    behind: u32,
    last_tick: Option<Timestamp>,
    anchor: Timestamp,
    anchor_line: Timestamp,
}

impl EngineTime {
    /// An event that happened at `at` arrives.
    pub(crate) fn event(&mut self, at: Timestamp) {
        let line = *self.line.get_or_insert(at);
        match self.newest {
            Some(newest) if at >= newest => {
                self.newest_line = self.newest_line.saturating_add(at.since(newest));
            }
            Some(newest) if newest.since(at) > LATE && self.behind + 1 >= SET_BACK => {
                self.newest_line = line;
            }
            Some(newest) => {
                self.behind = if newest.since(at) > LATE { self.behind + 1 } else { 0 };
                return;
            }
            // Newer than the clock's last tick, it brings the time forward; older, it is an import.
            None => {
                let ahead = self.last_tick.map_or(Duration::ZERO, |tick| at.since(tick));
                self.newest_line = line.saturating_add(ahead);
            }
        }
        self.behind = 0;
        self.newest = Some(at);
        self.line = Some(line.max(self.newest_line));
        self.anchor = self.last_tick.map_or(at, |tick| tick.max(at));
        self.anchor_line = self.newest_line;
    }

    /// The clock shows `now`.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        let Some(line) = self.line else {
            (self.line, self.anchor, self.anchor_line) = (Some(now), now, now);
            self.last_tick = Some(now);
            return;
        };
        if let Some(last) = self.last_tick.filter(|last| now < *last) {
            self.anchor = self.anchor.saturating_sub(last.since(now));
        }
        self.last_tick = Some(now);
        let reached = self.anchor_line.saturating_add(now.since(self.anchor));
        self.line = Some(line.max(reached));
    }

    /// The time that never goes back; timers count on it.
    pub(crate) fn line(&self) -> Timestamp {
        self.line.unwrap_or_default()
    }

    /// The same instant as the events' clock would show it; for people.
    pub(crate) fn shown(&self) -> Timestamp {
        match self.newest {
            Some(newest) => newest.saturating_add(self.line().since(self.newest_line)),
            None => self.last_tick.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn agrees_with_clocks_that_agree() {
        let mut time = EngineTime::default();
        for second in 0..10 {
            time.event(at(second));
            time.tick(at(second));
            assert_eq!((time.line(), time.shown()), (at(second), at(second)));
        }
        time.tick(at(30));
        assert_eq!((time.line(), time.shown()), (at(30), at(30)));
    }

    #[test]
    fn imported_events_keep_their_time() {
        let mut time = EngineTime::default();
        time.tick(at(1_000_000));
        time.event(at(10));
        time.tick(at(1_000_001));
        assert_eq!(time.shown(), at(11));
        time.event(at(40));
        assert_eq!(time.shown(), at(40));
        assert_eq!(time.line(), at(1_000_030));
    }

    #[test]
    fn the_first_event_brings_the_time_forward() {
        let mut time = EngineTime::default();
        time.tick(at(40));
        time.event(at(50));
        assert_eq!((time.line(), time.shown()), (at(50), at(50)));
        time.tick(at(60));
        assert_eq!((time.line(), time.shown()), (at(60), at(60)));
    }

    #[test]
    fn stands_still_when_the_clock_is_set_back_and_goes_on_from_there() {
        let mut time = EngineTime::default();
        time.event(at(10_000));
        time.tick(at(10_000));
        time.tick(at(6_400));
        assert_eq!(time.line(), at(10_000));
        time.tick(at(6_410));
        assert_eq!(time.line(), at(10_010));
        for second in 0..20 {
            time.event(at(6_410 + second));
        }
        let line = time.line();
        time.event(at(6_440));
        assert_eq!(time.line().since(line), Duration::from_secs(11));
        assert_eq!(time.shown(), at(6_440));
    }

    #[test]
    fn a_late_event_changes_nothing() {
        let mut time = EngineTime::default();
        time.event(at(1000));
        time.event(at(10));
        time.event(at(990));
        assert_eq!((time.line(), time.shown()), (at(1000), at(1000)));
    }
}
