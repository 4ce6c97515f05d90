//! What cards say of whom the trained weights are owed to: the one place where that is put together.

use crate::data::Card;
use crate::model::{ModelCard, Owed};

/// What sources add.
pub(super) trait Owes: Sized {
    /// The weights of a model, or of a part of it, that go along or that the trained ones act on alone.
    fn and_model(self, model: &ModelCard) -> Self;
    /// A data set that is learnt from.
    fn and_set(self, set: &Card) -> Self;
}

impl Owes for Owed {
    fn and_model(self, model: &ModelCard) -> Self {
        self.and(&model.licence, &model.attribution)
    }

    fn and_set(self, set: &Card) -> Self {
        self.and(&set.licence, &[&set.attribution])
    }
}

/// What the configuration of a run states on the card that it has ready.
pub(super) fn stated(card: &ModelCard) -> Owed {
    Owed::default().and_model(card)
}
