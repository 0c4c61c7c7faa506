//! When an alert is sent, sent again, or no more. Sans-IO: time is an argument, and so is what the
//! receiver answered.
//!
//! One topic (a kind, for HardStop a reason) is sent at most each `min_interval`, and at most
//! `max_per_hour` alerts in all, a quarter of them kept for errors. What comes in between is held: the
//! latest of its topic takes the place of the one before, and is sent once it may be, with the count of
//! those that it stands for. So the receiver ends up with what holds.

use std::collections::VecDeque;

use crate::alerts::news::{Alert, Kind, Severity};
use crate::alerts::post::Answer;
use crate::types::time::{Mono, Nanos, Now};

/// Alerts that may wait for a receiver that does not take them.
const QUEUE: usize = 32;
/// Tries of one alert: some six minutes of a receiver that does not answer.
const TRIES: u32 = 12;
/// First pause after a failure, and the longest; each is twice the one before.
const FIRST_PAUSE: Nanos = Nanos::from_secs(1);
const LONGEST_PAUSE: Nanos = Nanos::from_secs(60);
/// A receiver that asks for a longer pause gets this one.
const LONGEST_ASKED: Nanos = HOUR;

const HOUR: Nanos = Nanos::from_secs(3_600);

/// How often alerts may be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) min_interval: Nanos,
    pub(super) max_per_hour: u32,
}

/// What one kind of alert has to wait for.
#[derive(Debug)]
struct AlertKey {
    kind: Kind,
    subject: &'static str,
    /// Not sent before this.
    free_at: Mono,
    /// The latest that had to wait.
    held: Option<Alert>,
    /// Those that it took the place of.
    suppressed: u64,
}

/// An alert on its way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct QueuedAlert {
    pub(super) alert: Alert,
    /// Alerts of its topic that were held back since the one before.
    pub(super) suppressed: u64,
    tries: u32,
}

impl QueuedAlert {
    /// What `hip3 alert` sends.
    pub(super) fn test(now: Now) -> Self {
        Self { alert: Alert::test(now.wall), suppressed: 0, tries: 0 }
    }
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Send [`Queue::first`], and tell [`Queue::answered`].
    Send,
    /// Nothing before this.
    Wait(Mono),
    /// Nothing is due.
    Idle,
}

/// Alerts that wait.
#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    topics: Vec<AlertKey>,
    /// When alerts were let through, within the last hour.
    passed: VecDeque<Mono>,
    queue: VecDeque<QueuedAlert>,
    /// Alerts that were given up since the last that was taken.
    dropped: u64,
    /// Failures in a row.
    failures: u32,
    /// No try before this: our own pause.
    pause_until: Mono,
    /// No try before this: the receiver asked for it.
    asked_until: Mono,
}

impl Queue {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            topics: Vec::new(),
            passed: VecDeque::new(),
            queue: VecDeque::new(),
            dropped: 0,
            failures: 0,
            pause_until: Mono(0),
            asked_until: Mono(0),
        }
    }

    /// Takes `alert` up: to be sent, or held.
    pub(super) fn push(&mut self, now: Mono, alert: Alert) {
        let (kind, subject) = (alert.kind, alert.subject);
        let known = |topic: &AlertKey| topic.kind == kind && topic.subject == subject;
        let at = self.topics.iter().position(known).unwrap_or_else(|| {
            let free_at = Mono(0);
            self.topics.push(AlertKey { kind, subject, free_at, held: None, suppressed: 0 });
            self.topics.len() - 1
        });
        if let Some(topic) = self.topics.get_mut(at) {
            topic.suppressed += u64::from(topic.held.replace(alert).is_some());
        }
        self.let_through(now);
    }

    /// So many never came this far.
    pub(super) const fn drop_unseen(&mut self, count: u64) {
        self.dropped = self.dropped.saturating_add(count);
    }

    /// The end: what is held is sent now, and a pause of ours is over. One that the receiver asked for
    /// is not.
    pub(super) fn close(&mut self, now: Mono) {
        self.pause_until = now;
        for at in 0..self.topics.len() {
            self.enqueue(now, at);
        }
    }

    /// What is to be done now.
    pub(super) fn next(&mut self, now: Mono) -> Step {
        self.let_through(now);
        if !self.queue.is_empty() {
            let at = self.pause_until.max(self.asked_until);
            return if now >= at { Step::Send } else { Step::Wait(at) };
        }
        let held = self.topics.iter().filter_map(|topic| {
            let alert = topic.held.as_ref()?;
            Some(topic.free_at.max(self.room_at(alert.severity)))
        });
        held.min().map_or(Step::Idle, |at| Step::Wait(at.max(now)))
    }

    /// The alert to send, and how many were dropped before it.
    pub(super) fn first(&self) -> Option<(&QueuedAlert, u64)> {
        self.queue.front().map(|letter| (letter, self.dropped))
    }

    /// What the receiver answered to [`Queue::first`].
    pub(super) fn answered(&mut self, now: Mono, answer: &Answer) {
        let Some(letter) = self.queue.front_mut() else { return };
        letter.tries += 1;
        let last = letter.tries >= TRIES;
        match answer {
            Answer::Taken(_) => {
                self.queue.pop_front();
                (self.dropped, self.failures) = (0, 0);
                return;
            }
            Answer::Refused(_) => {
                self.give_up();
                return;
            }
            Answer::Busy { after: Some(after) } => {
                self.asked_until = now.plus((*after).min(LONGEST_ASKED));
            }
            Answer::Busy { after: None } | Answer::Failed(_) => {
                let doubled = FIRST_PAUSE.0.saturating_mul(1 << self.failures.min(16));
                self.pause_until = now.plus(Nanos(doubled).min(LONGEST_PAUSE));
                self.failures += 1;
            }
        }
        if last {
            self.give_up();
        }
    }

    /// Alerts that are not sent.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    fn give_up(&mut self) {
        self.queue.pop_front();
        self.dropped = self.dropped.saturating_add(1);
    }

    /// Sends on what was held and may go now.
    fn let_through(&mut self, now: Mono) {
        while self.passed.front().is_some_and(|at| now.since(*at) >= HOUR) {
            self.passed.pop_front();
        }
        for at in 0..self.topics.len() {
            let Some(topic) = self.topics.get(at) else { continue };
            let Some(alert) = &topic.held else { continue };
            if now >= topic.free_at && now >= self.room_at(alert.severity) {
                self.enqueue(now, at);
            }
        }
    }

    /// When the hour has room for an alert so severe.
    fn room_at(&self, severity: Severity) -> Mono {
        let max = self.limits.max_per_hour as usize;
        let share = if severity == Severity::Error { max } else { max - max / 4 };
        match self.passed.len().checked_sub(share) {
            None => Mono(0),
            Some(over) => self.passed.get(over).map_or(Mono(0), |at| at.plus(HOUR)),
        }
    }

    /// Moves what a topic holds to the end of the queue.
    fn enqueue(&mut self, now: Mono, at: usize) {
        let Some(topic) = self.topics.get_mut(at) else { return };
        let Some(alert) = topic.held.take() else { return };
        topic.free_at = now.plus(self.limits.min_interval);
        let suppressed = std::mem::take(&mut topic.suppressed);
        self.passed.push_back(now);
        self.queue.push_back(QueuedAlert { alert, suppressed, tries: 0 });
        if self.queue.len() > QUEUE {
            // The oldest of the least severe.
            let least = (0..self.queue.len())
                .min_by_key(|at| self.queue.get(*at).map(|letter| letter.alert.severity));
            if let Some(at) = least {
                self.queue.remove(at);
                self.dropped = self.dropped.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::news::{AlertEvent, AlertRules};
    use crate::types::hard_stop::StopReason;
    use crate::types::log_event::LogEvent;
    use crate::types::time::Wall;

    const SECOND: u64 = 1_000_000_000;

    fn at(s: u64) -> Mono {
        Mono(s * SECOND)
    }

    fn outbox(max_per_hour: u32) -> Queue {
        Queue::new(Limits { min_interval: Nanos::from_secs(60), max_per_hour })
    }

    fn alert(event: LogEvent) -> Alert {
        let now = Now { mono: Mono(0), wall: Wall(0) };
        AlertRules::default().hear(now, AlertEvent::LogEvent(event)).expect("an alert")
    }

    fn budget(left: i64) -> Alert {
        alert(LogEvent::BudgetLow { left })
    }

    fn stop(reason: StopReason) -> Alert {
        alert(LogEvent::HardStopSet { reason })
    }

    /// Sends what may be sent at `now`; its texts, with the counts of what was held back.
    fn sent(outbox: &mut Queue, now: Mono) -> Vec<(String, u64)> {
        let mut sent = Vec::new();
        while outbox.next(now) == Step::Send {
            let (letter, _) = outbox.first().expect("a letter");
            sent.push((letter.alert.text.clone(), letter.suppressed));
            outbox.answered(now, &Answer::Taken(200));
        }
        sent
    }

    #[test]
    fn of_a_kind_one_a_minute_is_sent_and_the_latest_of_the_rest_follows_with_their_count() {
        let mut outbox = outbox(30);
        for left in [9, 8, 7, 6] {
            outbox.push(at(0), budget(left));
        }
        assert_eq!(sent(&mut outbox, at(0)), [(budget(9).text, 0)]);
        assert_eq!(outbox.next(at(1)), Step::Wait(at(60)));
        assert_eq!(sent(&mut outbox, at(59)), []);
        assert_eq!(sent(&mut outbox, at(60)), [(budget(6).text, 2)], "8 and 7 were held back");
        assert_eq!(outbox.next(at(1_000)), Step::Idle, "told once");
        outbox.push(at(1_000), budget(5));
        assert_eq!(sent(&mut outbox, at(1_000)), [(budget(5).text, 0)]);
    }

    #[test]
    fn one_reason_of_hard_stop_never_stands_for_another() {
        let mut outbox = outbox(30);
        outbox.push(at(0), stop(StopReason::Loss));
        outbox.push(at(1), stop(StopReason::ClockSkew));
        let texts = [stop(StopReason::Loss).text, stop(StopReason::ClockSkew).text];
        let sent: Vec<_> = sent(&mut outbox, at(1)).into_iter().map(|(text, _)| text).collect();
        assert_eq!(sent, texts);
    }

    #[test]
    fn an_hour_has_its_limit_and_a_quarter_of_it_is_for_errors() {
        let mut outbox = outbox(4);
        for minute in 0..10 {
            outbox.push(at(minute * 60), budget(minute as i64));
        }
        assert_eq!(sent(&mut outbox, at(540)).len(), 3, "three of the four");
        assert_eq!(outbox.next(at(600)), Step::Wait(at(3_600)));
        outbox.push(at(600), stop(StopReason::Loss));
        assert_eq!(sent(&mut outbox, at(600)).len(), 1, "the one that was kept for it");
        outbox.push(at(601), stop(StopReason::ClockSkew));
        assert_eq!(sent(&mut outbox, at(3_599)), []);
        let later = sent(&mut outbox, at(3_600));
        assert_eq!(later, [(stop(StopReason::ClockSkew).text, 0)], "errors come first");
        assert_eq!(sent(&mut outbox, at(3_719)), []);
        assert_eq!(sent(&mut outbox, at(3_720)), [(budget(9).text, 6)]);
    }

    #[test]
    fn failures_are_tried_again_with_growing_pauses_and_in_the_end_dropped() {
        let mut outbox = outbox(30);
        outbox.push(at(0), budget(1));
        let mut now = at(0);
        let mut pauses = Vec::new();
        while outbox.waiting() > 0 {
            assert_eq!(outbox.next(now), Step::Send);
            outbox.answered(now, &Answer::Failed("status 500".into()));
            if let Step::Wait(until) = outbox.next(now) {
                pauses.push(until.since(now).0 / SECOND);
                now = until;
            }
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60], "twelve tries");
        // The next one tells of it, once.
        now = now.plus(Nanos::from_secs(60));
        outbox.push(now, budget(2));
        assert_eq!(outbox.next(now), Step::Send);
        assert_eq!(outbox.first().map(|(_, dropped)| dropped), Some(1));
        outbox.answered(now, &Answer::Taken(204));
        outbox.push(now, stop(StopReason::Loss));
        assert_eq!(outbox.first().map(|(_, dropped)| dropped), Some(0));
    }

    #[test]
    fn what_the_receiver_asks_for_is_kept_even_at_the_end() {
        let mut outbox = outbox(30);
        outbox.push(at(0), budget(1));
        assert_eq!(outbox.next(at(0)), Step::Send);
        let after = Some(Nanos::from_secs(7));
        outbox.answered(at(0), &Answer::Busy { after });
        assert_eq!(outbox.next(at(1)), Step::Wait(at(7)));
        outbox.close(at(2));
        assert_eq!(outbox.next(at(2)), Step::Wait(at(7)));
        assert_eq!(sent(&mut outbox, at(7)).len(), 1);
        // No receiver silences us for days.
        outbox.push(at(100), budget(2));
        outbox.answered(at(100), &Answer::Busy { after: Some(Nanos::from_secs(1_000_000)) });
        assert_eq!(outbox.next(at(101)), Step::Wait(at(3_700)));
    }

    #[test]
    fn a_refusal_is_not_tried_again() {
        let mut outbox = outbox(30);
        outbox.push(at(0), budget(1));
        outbox.push(at(0), stop(StopReason::Loss));
        outbox.answered(at(0), &Answer::Refused(404));
        assert_eq!((outbox.next(at(0)), outbox.waiting()), (Step::Send, 1));
        assert_eq!(outbox.first().map(|(_, dropped)| dropped), Some(1));
    }

    #[test]
    fn the_end_sends_what_is_held_and_waits_for_no_pause_of_ours() {
        let mut outbox = outbox(1);
        outbox.push(at(0), stop(StopReason::Loss));
        assert_eq!(outbox.next(at(0)), Step::Send);
        outbox.answered(at(0), &Answer::Failed("timeout".into()));
        outbox.push(at(0), budget(1));
        outbox.push(at(0), budget(2));
        assert_eq!(outbox.next(at(0)), Step::Wait(at(1)));
        outbox.close(at(0));
        let texts = [(stop(StopReason::Loss).text, 0), (budget(2).text, 1)];
        assert_eq!(sent(&mut outbox, at(0)), texts);
    }

    #[test]
    fn when_too_many_wait_the_oldest_of_the_least_severe_goes() {
        let mut outbox = outbox(3_600);
        let hour = |n: u64| at(n * 60);
        outbox.push(hour(0), stop(StopReason::Loss));
        assert_eq!(outbox.next(hour(0)), Step::Send);
        for n in 1..=QUEUE as u64 + 3 {
            outbox.push(hour(n), budget(n as i64));
        }
        assert_eq!(outbox.waiting(), QUEUE);
        let (first, dropped) = outbox.first().expect("a letter");
        assert_eq!((first.alert.kind, dropped), (Kind::HardStop, 4), "errors stay");
        assert_eq!(outbox.queue.get(1).map(|letter| &letter.alert.text), Some(&budget(5).text));
        outbox.drop_unseen(2);
        assert_eq!(outbox.first().map(|(_, dropped)| dropped), Some(6));
    }
}
