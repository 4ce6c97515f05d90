//! Requests are checked, and answered as asked.
