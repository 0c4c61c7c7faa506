//! Decision → bytes: checks, queue, the life of orders, limits, packing, signature.
