//! What a handler asks of its user, as types.

use skiagraph_compliance::role::Role;

use super::Access;

/// What a handler asks of its user.
pub trait Permit: 'static {
    /// The user has one of these roles; any user will do where there are none.
    const ROLES: &'static [Role];
    /// Also while the user's password is for one time.
    const BEFORE_PASSWORD_CHANGE: bool = false;
}

macro_rules! permits {
    ($($(#[$doc:meta])* $alias:ident = $marker:ident [$($role:ident),*];)+) => {$(
        #[doc(hidden)]
        #[derive(Debug)]
        pub enum $marker {}
        impl Permit for $marker {
            const ROLES: &'static [Role] = &[$(Role::$role),*];
        }
        $(#[$doc])*
        pub type $alias = Access<$marker>;
    )+};
}

permits! {
    /// A clinician.
    Clinician = IsClinician [Clinician];
    /// An ML engineer.
    MlEngineer = IsMlEngineer [MlEngineer];
    /// An auditor.
    Auditor = IsAuditor [Auditor];
    /// An administrator.
    Admin = IsAdmin [Admin];
    /// A clinician or an ML engineer.
    ClinicianOrMlEngineer = IsClinicianOrMlEngineer [Clinician, MlEngineer];
    /// Whoever may send images to an archive, or looks after the platform's connections.
    MakerOrAdmin = IsMakerOrAdmin [Clinician, MlEngineer, Admin];
    /// A clinician or an auditor.
    ClinicianOrAuditor = IsClinicianOrAuditor [Clinician, Auditor];
    /// Any user who has a password of their own.
    AnyUser = IsAnyUser [];
}

#[doc(hidden)]
#[derive(Debug)]
pub enum IsSignedIn {}

impl Permit for IsSignedIn {
    const ROLES: &'static [Role] = &[];
    const BEFORE_PASSWORD_CHANGE: bool = true;
}

/// Any user, also one who has still to change a one-time password.
pub type SignedIn = Access<IsSignedIn>;
