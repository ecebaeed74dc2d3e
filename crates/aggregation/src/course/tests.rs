use super::{DurationCourse, Onset, Shift};
use std::time::Duration;
use telemetry_models::{Event, EventId, OperationKind, Outcome, SelectorName, Timestamp};

fn event(second: i64, ms: f64) -> Event {
    let mut event = Event::new(
        EventId::from_u128(1),
        SelectorName::new("shop.price").unwrap(),
        Timestamp::from_millis(second * 1_000),
        OperationKind::Resolution,
        Outcome::Success,
    );
    event.timing.total = Some(Duration::from_secs_f64(ms / 1e3));
    event
}

/// One operation every ten minutes of ten days.
fn course(ms: impl Fn(i64) -> f64) -> DurationCourse {
    let mut course = DurationCourse::default();
    for n in 0..1_440 {
        course.add(&event(n * 600, ms(n)));
    }
    course
}

fn wave(n: i64) -> f64 {
    10.0 + (n * 7_919 % 101) as f64 / 25.0
}

fn holds(onset: Option<Onset>, second: i64) -> bool {
    let onset = onset.unwrap();
    let off = (onset.at.as_millis() / 1_000 - second).unsigned_abs();
    off <= onset.within.as_secs()
}

#[test]
fn all_of_it_moves() {
    let onset = course(|n| wave(n) * if n >= 900 { 1.3 } else { 1.0 }).onset(Shift::Whole);
    assert!(holds(onset, 540_000), "{onset:?}");
    assert!(onset.unwrap().within.as_secs() <= 10_800, "{onset:?}");
    // The less it moves, the less is known.
    let slight = course(|n| wave(n) * if n >= 900 { 1.02 } else { 1.0 }).onset(Shift::Whole);
    assert!(holds(slight, 540_000), "{slight:?}");
    assert!(slight.unwrap().within > 4 * onset.unwrap().within, "{slight:?}");
}

#[test]
fn the_slowest_alone() {
    let onset = course(|n| if n >= 400 && n % 12 == 0 { 60.0 } else { wave(n) });
    let onset = onset.onset(Shift::Shape);
    assert!(holds(onset, 240_000), "{onset:?}");
    assert!(onset.unwrap().within.as_secs() <= 86_400, "{onset:?}");
}

#[test]
fn too_little_to_tell() {
    assert_eq!(DurationCourse::default().onset(Shift::Whole), None);
    assert_eq!(course(|_| 10.0).onset(Shift::Whole), None);
    assert_eq!(course(|_| 10.0).onset(Shift::Shape), None);
    let mut few = DurationCourse::default();
    for n in 0..39 {
        few.add(&event(n, if n < 20 { 1.0 } else { 9.0 }));
    }
    assert_eq!(few.onset(Shift::Whole), None);
}

#[test]
fn the_order_of_parts_does_not_matter() {
    let (mut early, mut late) = (DurationCourse::default(), DurationCourse::default());
    for n in 0..1_440 {
        let part = if n < 500 { &mut early } else { &mut late };
        part.add(&event(n * 600, wave(n)));
    }
    let (mut forwards, mut backwards) = (early.clone(), late.clone());
    forwards.merge(&late);
    backwards.merge(&early);
    assert_eq!(forwards, course(wave));
    assert_eq!(backwards, course(wave));
    assert_eq!(forwards.width(), Duration::from_secs(2_048));
}
