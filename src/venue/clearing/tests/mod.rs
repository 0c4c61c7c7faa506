//! Tests of the clearing house.
