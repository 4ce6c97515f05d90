//! Pages of lists.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, FieldError};

/// Items of a page where nobody asked for another number.
const USUAL: u64 = 50;
/// Items that a page may have.
const MOST: u64 = 500;

/// Which page of a list.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Number of the page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u64>,
    /// Items on it.
    #[param(minimum = 1, maximum = 500, default = 50)]
    page_size: Option<u64>,
}

/// A page that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    page: u64,
    page_size: u64,
}

impl PageQuery {
    /// The page, where there can be one.
    pub fn page(&self) -> Result<Slice, ApiError> {
        let (page, page_size) = (self.page.unwrap_or(1), self.page_size.unwrap_or(USUAL));
        let mut errors = Vec::new();
        // The offset is a signed number of the database.
        let furthest = i64::MAX.unsigned_abs() / MOST;
        if !(1..=furthest).contains(&page) {
            errors.push(FieldError::new("page", "must be 1 or more"));
        }
        if !(1..=MOST).contains(&page_size) {
            errors.push(FieldError::new("page_size", format!("must lie between 1 and {MOST}")));
        }
        if errors.is_empty() { Ok(Slice { page, page_size }) } else { Err(errors.into()) }
    }
}

impl Slice {
    /// Items before the page.
    pub fn offset(self) -> u64 {
        (self.page - 1) * self.page_size
    }

    /// Items on the page.
    pub fn limit(self) -> u64 {
        self.page_size
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Items of the whole list.
    pub total: u64,
    /// Its number, from 1.
    pub page: u64,
    /// Items that a page may have.
    pub page_size: u64,
}

impl<T> Page<T> {
    /// A page of a list of `total` items.
    pub fn new(items: Vec<T>, total: u64, slice: Slice) -> Self {
        Self { items, total, page: slice.page, page_size: slice.page_size }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn slice(page: Option<u64>, page_size: Option<u64>) -> Result<Slice, ApiError> {
        PageQuery { page, page_size }.page()
    }

    #[test]
    fn a_page_begins_where_the_one_before_ends() {
        let third = slice(Some(3), Some(20)).unwrap();
        assert_eq!((third.offset(), third.limit()), (40, 20));
        assert_eq!(slice(None, None).unwrap().offset(), 0);
    }

    #[test]
    fn there_is_no_page_nought_and_none_without_end() {
        for (page, size) in [(0, 50), (1, 0), (1, 501), (u64::MAX, 50)] {
            assert!(matches!(slice(Some(page), Some(size)), Err(ApiError::Invalid(_))));
        }
    }
}
