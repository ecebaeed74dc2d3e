//! Answers queries, a day at a time.

use super::Shared;
use super::days::Day;
use super::lines::Line;
use crate::disk;
use crate::fault;
use serde::Deserialize;
use std::collections::VecDeque;
use std::vec;
use telemetry_interfaces::{Error, Order, Query, Result};
use telemetry_models::{Event, Timestamp, json};

/// The part of a line that decides its place.
#[derive(Deserialize)]
struct Stamp {
    timestamp: Timestamp,
}

impl Shared {
    pub(super) fn answer(&self, query: &Query) -> Result<Answer> {
        let abandoned = self.is_abandoned()?;
        let mut days = self.days()?;
        let (from, to) = (query.from.map(Timestamp::day), query.to.map(Timestamp::day));
        days.retain(|it| {
            from.as_ref().is_none_or(|from| it.day >= *from)
                && to.as_ref().is_none_or(|to| it.day <= *to)
        });
        if query.order != Order::NewestFirst {
            days.reverse();
        }
        Ok(Answer {
            // Asked twice: a writer may have begun or ended in between.
            abandoned: abandoned && self.is_abandoned()?,
            left: query.limit.unwrap_or(usize::MAX),
            query: query.clone(),
            days,
            day: None,
            faults: VecDeque::new(),
        })
    }
}

/// The answer to a query.
#[derive(Debug)]
pub(super) struct Answer {
    query: Query,
    abandoned: bool,
    left: usize,
    /// Files still to be opened, those of the next day last.
    days: Vec<Day>,
    day: Option<(Vec<Day>, vec::IntoIter<Place>)>,
    faults: VecDeque<Error>,
}

/// Where a line is.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: Timestamp,
    /// Which of the day's files.
    file: usize,
    number: u64,
    offset: u64,
    length: usize,
}

impl Answer {
    /// Opens the next day: the places of its lines that lie in the time range, in the order of the
    /// answer.
    fn open(&mut self) -> Option<()> {
        let mut files = vec![self.days.pop()?];
        while self.days.last().is_some_and(|it| it.day == files[0].day) {
            files.extend(self.days.pop());
        }
        files.sort_by_key(|it| it.form);
        let mut places = Vec::new();
        for (file, day) in files.iter().enumerate() {
            self.places(file, day, &mut places);
        }
        places.sort_by_key(|place: &Place| (place.at, place.file, place.number));
        if self.query.order == Order::NewestFirst {
            places.reverse();
        }
        self.day = Some((files, places.into_iter()));
        Some(())
    }

    fn places(&mut self, file: usize, day: &Day, places: &mut Vec<Place>) {
        self.stamps(file, day, places);
        for it in day.damage() {
            let cure = "run `telemetry store quarantine` to go on without it, or restore the file";
            self.faults.push_back(fault::damaged(&it.file, it.offset, it.what).cure(cure));
        }
    }

    fn stamps(&mut self, file: usize, day: &Day, places: &mut Vec<Place>) {
        let mut lines = day.lines();
        loop {
            match lines.next() {
                Ok(Some(line)) if line.ended || self.abandoned => match stamp(day, &line) {
                    Ok(at) if self.query.covers_time(at) => places.push(Place {
                        at,
                        file,
                        number: line.number,
                        offset: line.offset,
                        length: line.bytes.len(),
                    }),
                    Ok(_) => {}
                    Err(fault) => self.faults.push_back(fault),
                },
                // Without its end: a writer is at it.
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => return self.faults.push_back(unreadable(day, error)),
            }
        }
    }

    fn read(&self, day: &Day, place: Place) -> Result<Option<Event>> {
        let bytes = disk::read_exact(&*day.file, place.offset, place.length)
            .map_err(|error| unreadable(day, error))?;
        let event = json::from_slice(&bytes)
            .map_err(|error| bad_line(day, place.number, place.offset, error))?;
        Ok(Some(event).filter(|event| self.query.matches(event)))
    }
}

impl Iterator for Answer {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            if let Some(fault) = self.faults.pop_front() {
                return Some(Err(fault));
            }
            let Some((day, mut places)) = self.day.take() else {
                self.open()?;
                continue;
            };
            let Some(place) = places.next() else { continue };
            let found = self.read(&day[place.file], place);
            self.day = Some((day, places));
            match found {
                Ok(Some(mut event)) => {
                    self.left -= 1;
                    self.query.parts.keep(&mut event);
                    return Some(Ok(event));
                }
                Ok(None) => {}
                Err(fault) => return Some(Err(fault)),
            }
        }
        None
    }
}

fn unreadable(day: &Day, error: std::io::Error) -> Error {
    fault::io("read events", day.name().as_ref(), error)
}

/// The timestamp of a line, or what is wrong with the line.
fn stamp(day: &Day, line: &Line) -> Result<Timestamp> {
    if let Ok(stamp) = serde_json::from_slice::<Stamp>(&line.bytes) {
        return Ok(stamp.timestamp);
    }
    match json::from_slice(&line.bytes) {
        Ok(event) => Ok(event.timestamp),
        Err(error) => Err(bad_line(day, line.number, line.offset, error)),
    }
}

/// A line that is no event.
pub(super) fn bad_line(day: &Day, number: u64, offset: u64, error: json::ReadError) -> Error {
    fault::damaged(&day.name(), offset, "a line is not an event")
        .with("line", number)
        .source(error)
        .cure("correct or remove the line; the lines around it are read")
}
