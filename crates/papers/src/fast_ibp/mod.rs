//! Fast-IBP's golden cases; its methods live in `offprint_certify`. The paper's card is not written yet.

mod golden;

pub use golden::METHODS;
