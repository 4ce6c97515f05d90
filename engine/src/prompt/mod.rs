//! Prompts: the vocabulary of findings, and the sentence that a structure becomes.
//!
//! The sentence has one form, and captions of training images are made by the same function: the
//! model is asked in the words in which it was taught.

mod deidentification;
mod spoken;
mod structured;
pub mod weights;

pub use crate::terms::{
    Described, DescribedFinding, Finding, ViewPosition, finding, findings, view_position,
    view_positions,
};
pub use deidentification::strip_marks;
pub use spoken::{expected_words, spoken};
pub use structured::{LONGEST_TEXT, PromptError, StructuredPrompt};
