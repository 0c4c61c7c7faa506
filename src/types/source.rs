//! Where a cold thread gets its work from, without knowing what carries it.

/// A stream of things that another thread hands over; taking never waits.
///
/// Whoever empties it asks [`Source::closed`] *before* the last [`Source::take`]: closed first and
/// empty afterwards means that nothing will come any more.
pub trait Source<T> {
    /// The oldest thing that waits, if any.
    fn take(&mut self) -> Option<T>;

    /// Whether the other end is gone. What it left behind can still be taken.
    fn closed(&self) -> bool;
}

/// The other way: where a thread hands things over. Putting never waits.
pub trait Sink<T> {
    /// Hands `item` over, or gives it back when there is no room.
    fn put(&mut self, item: T) -> Result<(), T>;
}
