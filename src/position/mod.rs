//! What we hold: fills, profit, exposure including what may still fill, and when to let go.
