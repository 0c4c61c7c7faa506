//! What positions, exits, readings and triggers promise.
