//! Terms as a network of intervals and sets of values, with an undo list.

use crate::puzzles::{
    problem::{Problem, absolute, product, quotient},
    term::{Op, Term},
};
use std::collections::HashMap;

/// What a node computes of its arguments; every other operator of a [`Term`] is written with these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rule {
    Constant(i64),
    /// An unknown, whose values are a set.
    Unknown(u32),
    And,
    Or,
    Not,
    Equal,
    AtMost,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Absolute,
    If,
    Distinct,
    Maximum,
}

/// Values of an unknown as bits, in words that begin at multiples of 64.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set {
    /// First of its words.
    pub start: usize,
    pub words: usize,
    /// Value of the first bit, a multiple of 64.
    pub base: i64,
}

/// A change that can be undone.
#[derive(Clone, Copy, Debug)]
enum Change {
    Low(u32, i64),
    High(u32, i64),
    Word(u32, u64),
}

/// Nothing satisfies the constraints any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conflict;

pub(super) type Narrowed = Result<(), Conflict>;

/// The network.
pub(super) struct Network {
    pub rules: Vec<Rule>,
    /// Arguments of node `n`: `arguments[first[n]..first[n + 1]]`.
    arguments: Vec<u32>,
    first: Vec<u32>,
    parents: Vec<Vec<u32>>,
    pub low: Vec<i64>,
    pub high: Vec<i64>,
    pub sets: Vec<Set>,
    pub bits: Vec<u64>,
    /// Node of each unknown.
    pub unknowns: Vec<u32>,
    trail: Vec<Change>,
    queue: Vec<u32>,
    queued: Vec<bool>,
    known: HashMap<(Rule, Vec<u32>), u32>,
}

impl Network {
    /// The unknowns of a problem, which was [validated](Problem::validate), without its constraints.
    pub fn new(problem: &Problem) -> Self {
        let mut network = Self {
            rules: Vec::new(),
            arguments: Vec::new(),
            first: vec![0],
            parents: Vec::new(),
            low: Vec::new(),
            high: Vec::new(),
            sets: Vec::new(),
            bits: Vec::new(),
            unknowns: Vec::new(),
            trail: Vec::new(),
            queue: Vec::new(),
            queued: Vec::new(),
            known: HashMap::new(),
        };
        for (index, unknown) in problem.unknowns.iter().enumerate() {
            let (low, high) = unknown.domain.bounds();
            let base = low.div_euclid(64) * 64;
            let set = Set {
                start: network.bits.len(),
                words: ((high - base) / 64 + 1) as usize,
                base,
            };
            network.sets.push(set);
            for word in 0..set.words as i64 {
                let first = (low - (base + 64 * word)).clamp(0, 64);
                let last = (high - (base + 64 * word)).min(63);
                let bits = if first > last {
                    0
                } else {
                    (u64::MAX >> (63 - last)) & (u64::MAX << first)
                };
                network.bits.push(bits);
            }
            let node = network.node(Rule::Unknown(index as u32), Vec::new(), (low, high));
            network.unknowns.push(node);
        }
        network
    }

    /// Arguments of a node.
    pub fn arguments(&self, node: usize) -> std::ops::Range<usize> {
        self.first[node] as usize..self.first[node + 1] as usize
    }

    /// The node at a place of [`Network::arguments`].
    pub fn argument(&self, place: usize) -> usize {
        self.arguments[place] as usize
    }

    pub fn fixed(&self, node: usize) -> bool {
        self.low[node] == self.high[node]
    }

    /// Makes a term true.
    pub fn require(&mut self, term: &Term) -> Narrowed {
        let node = self.term(term);
        self.set(node as usize, 1)
    }

    /// The node of a term; equal terms share one.
    pub fn term(&mut self, term: &Term) -> u32 {
        match term {
            Term::Int(value) => self.constant(*value),
            Term::Bool(value) => self.constant(i64::from(*value)),
            Term::Unknown(index) => self.unknowns[*index],
            Term::Apply(op, terms) => {
                let x: Vec<u32> = terms.iter().map(|term| self.term(term)).collect();
                self.apply(*op, x)
            }
        }
    }

    fn constant(&mut self, value: i64) -> u32 {
        self.node(Rule::Constant(value), Vec::new(), (value, value))
    }

    fn apply(&mut self, op: Op, x: Vec<u32>) -> u32 {
        match op {
            Op::And => self.operator(Rule::And, x),
            Op::Or => self.operator(Rule::Or, x),
            Op::Not => self.not(x[0]),
            Op::Xor | Op::NotEqual => {
                let equal = self.equal(x[0], x[1]);
                self.not(equal)
            }
            Op::Implies => {
                let not = self.not(x[0]);
                self.operator(Rule::Or, vec![not, x[1]])
            }
            Op::Equal => self.equal(x[0], x[1]),
            Op::AtMost => self.operator(Rule::AtMost, x),
            Op::AtLeast => self.operator(Rule::AtMost, vec![x[1], x[0]]),
            Op::Less => {
                let at_least = self.operator(Rule::AtMost, vec![x[1], x[0]]);
                self.not(at_least)
            }
            Op::Greater => {
                let at_most = self.operator(Rule::AtMost, x);
                self.not(at_most)
            }
            Op::Add | Op::Count => self.operator(Rule::Add, x),
            Op::Subtract => self.operator(Rule::Subtract, x),
            Op::Multiply => {
                let mut factors = x.into_iter();
                match factors.next() {
                    None => self.constant(1),
                    Some(first) => {
                        factors.fold(first, |a, b| self.operator(Rule::Multiply, vec![a, b]))
                    }
                }
            }
            Op::Divide => self.operator(Rule::Divide, x),
            Op::Modulo => self.operator(Rule::Modulo, x),
            Op::Absolute => self.operator(Rule::Absolute, x),
            Op::If => self.operator(Rule::If, x),
            Op::Distinct => self.operator(Rule::Distinct, x),
            Op::Maximum => self.operator(Rule::Maximum, x),
            // min(x) = 0 − max(0 − x)
            Op::Minimum => {
                let zero = self.constant(0);
                let negative = x
                    .into_iter()
                    .map(|x| self.operator(Rule::Subtract, vec![zero, x]));
                let negative = negative.collect();
                let largest = self.operator(Rule::Maximum, negative);
                self.operator(Rule::Subtract, vec![zero, largest])
            }
        }
    }

    fn not(&mut self, x: u32) -> u32 {
        self.operator(Rule::Not, vec![x])
    }

    fn equal(&mut self, a: u32, b: u32) -> u32 {
        self.operator(Rule::Equal, vec![a.min(b), a.max(b)])
    }

    /// A node with what its arguments allow now.
    fn operator(&mut self, rule: Rule, x: Vec<u32>) -> u32 {
        let of = |place: usize| {
            let node = x[place] as usize;
            (self.low[node], self.high[node])
        };
        let all = || (0..x.len()).map(of);
        let bounds = match rule {
            Rule::Add => all().fold((0, 0), |sum, x| (sum.0 + x.0, sum.1 + x.1)),
            Rule::Subtract => (of(0).0 - of(1).1, of(0).1 - of(1).0),
            Rule::Multiply => product(of(0), of(1)),
            Rule::Divide => quotient(of(0), of(1)),
            Rule::Modulo => (0, of(1).1 - 1),
            Rule::Absolute => absolute(of(0)),
            Rule::If => (of(1).0.min(of(2).0), of(1).1.max(of(2).1)),
            Rule::Maximum => {
                let largest = |a: i64, b: i64| a.max(b);
                let low = all().map(|x| x.0).reduce(largest);
                let high = all().map(|x| x.1).reduce(largest);
                (low.unwrap_or(0), high.unwrap_or(0))
            }
            _ => (0, 1),
        };
        self.node(rule, x, bounds)
    }

    fn node(&mut self, rule: Rule, x: Vec<u32>, (low, high): (i64, i64)) -> u32 {
        let key = (rule, x);
        if let Some(node) = self.known.get(&key) {
            return *node;
        }
        let node = self.rules.len() as u32;
        self.rules.push(rule);
        self.low.push(low);
        self.high.push(high);
        self.parents.push(Vec::new());
        self.queued.push(true);
        self.queue.push(node);
        for &argument in &key.1 {
            let parents = &mut self.parents[argument as usize];
            if parents.last() != Some(&node) {
                parents.push(node);
            }
        }
        self.arguments.extend_from_slice(&key.1);
        self.first.push(self.arguments.len() as u32);
        self.known.insert(key, node);
        node
    }

    /// Number of terms that an unknown stands in.
    pub fn degree(&self, unknown: usize) -> usize {
        self.parents[self.unknowns[unknown] as usize].len()
    }

    /// Where the undo list is now.
    pub fn mark(&self) -> usize {
        self.trail.len()
    }

    /// Undoes every change after a mark.
    pub fn undo(&mut self, mark: usize) {
        while self.trail.len() > mark {
            match self.trail.pop().expect("longer than the mark") {
                Change::Low(node, value) => self.low[node as usize] = value,
                Change::High(node, value) => self.high[node as usize] = value,
                Change::Word(word, bits) => self.bits[word as usize] = bits,
            }
        }
        for node in self.queue.drain(..) {
            self.queued[node as usize] = false;
        }
    }

    /// The next node to look at.
    pub fn next(&mut self) -> Option<usize> {
        let node = self.queue.pop()? as usize;
        self.queued[node] = false;
        Some(node)
    }

    fn touch(&mut self, node: usize) {
        let mut push = |node: u32| {
            if !std::mem::replace(&mut self.queued[node as usize], true) {
                self.queue.push(node);
            }
        };
        push(node as u32);
        self.parents[node].iter().copied().for_each(&mut push);
    }

    /// Narrows a node to at least a value.
    pub fn at_least(&mut self, node: usize, value: i64) -> Narrowed {
        self.within(node, value, i64::MAX)
    }

    /// Narrows a node to at most a value.
    pub fn at_most(&mut self, node: usize, value: i64) -> Narrowed {
        self.within(node, i64::MIN, value)
    }

    /// Narrows a node to one value.
    pub fn set(&mut self, node: usize, value: i64) -> Narrowed {
        self.within(node, value, value)
    }

    /// Narrows a node to an interval.
    pub fn within(&mut self, node: usize, low: i64, high: i64) -> Narrowed {
        let (mut low, mut high) = (low.max(self.low[node]), high.min(self.high[node]));
        if low > high {
            return Err(Conflict);
        }
        if low == self.low[node] && high == self.high[node] {
            return Ok(());
        }
        if let Rule::Unknown(unknown) = self.rules[node] {
            let set = self.sets[unknown as usize];
            low = self.value_from(set, low).ok_or(Conflict)?;
            high = self.value_to(set, high).ok_or(Conflict)?;
            if low > high {
                return Err(Conflict);
            }
        }
        self.assign_bounds(node, low, high);
        self.touch(node);
        Ok(())
    }

    fn assign_bounds(&mut self, node: usize, low: i64, high: i64) {
        if low != self.low[node] {
            self.trail.push(Change::Low(node as u32, self.low[node]));
            self.low[node] = low;
        }
        if high != self.high[node] {
            self.trail.push(Change::High(node as u32, self.high[node]));
            self.high[node] = high;
        }
    }

    /// Takes a value away from a node: of an unknown anywhere, of another at its ends.
    pub fn exclude(&mut self, node: usize, value: i64) -> Narrowed {
        if value < self.low[node] || value > self.high[node] {
            return Ok(());
        }
        if let Rule::Unknown(unknown) = self.rules[node] {
            let set = self.sets[unknown as usize];
            let (word, bit) = place(set, value);
            if self.bits[word] & bit == 0 {
                return Ok(());
            }
            self.keep(word, !bit);
            return self.tighten(node, set);
        }
        if value == self.low[node] {
            return self.at_least(node, value + 1);
        }
        if value == self.high[node] {
            return self.at_most(node, value - 1);
        }
        Ok(())
    }

    /// Keeps only some bits of a word.
    fn keep(&mut self, word: usize, bits: u64) {
        self.trail.push(Change::Word(word as u32, self.bits[word]));
        self.bits[word] &= bits;
    }

    /// Bounds of an unknown after values were taken away.
    fn tighten(&mut self, node: usize, set: Set) -> Narrowed {
        let low = self.value_from(set, self.low[node]).ok_or(Conflict)?;
        let high = self.value_to(set, self.high[node]).ok_or(Conflict)?;
        if low > high {
            return Err(Conflict);
        }
        self.assign_bounds(node, low, high);
        self.touch(node);
        Ok(())
    }

    /// The set of an unknown's node.
    pub fn set_of(&self, node: usize) -> Option<Set> {
        match self.rules[node] {
            Rule::Unknown(unknown) => Some(self.sets[unknown as usize]),
            _ => None,
        }
    }

    /// Whether a node may still have a value.
    pub fn may_be(&self, node: usize, value: i64) -> bool {
        let inside = value >= self.low[node] && value <= self.high[node];
        inside
            && self.set_of(node).is_none_or(|set| {
                let (word, bit) = place(set, value);
                self.bits[word] & bit != 0
            })
    }

    /// Number of values that a node may still have.
    pub fn size(&self, node: usize) -> u64 {
        let (low, high) = (self.low[node], self.high[node]);
        let Some(set) = self.set_of(node) else {
            return (high - low) as u64 + 1;
        };
        if low == high {
            return 1;
        }
        let (first, last) = (place(set, low).0, place(set, high).0);
        let words =
            (first..=last).map(|word| self.within_bounds(set, word, low, high).count_ones());
        words.map(u64::from).sum()
    }

    /// A word of a set, without the values outside two bounds.
    pub fn within_bounds(&self, set: Set, word: usize, low: i64, high: i64) -> u64 {
        let base = set.base + 64 * (word - set.start) as i64;
        let mut bits = self.bits[word];
        if low > base {
            bits &= u64::MAX.checked_shl((low - base) as u32).unwrap_or(0);
        }
        if high < base + 63 {
            let last = high - base;
            bits &= if last < 0 { 0 } else { u64::MAX >> (63 - last) };
        }
        bits
    }

    /// Smallest value of a set that is at least a value.
    fn value_from(&self, set: Set, value: i64) -> Option<i64> {
        let from = (value - set.base).max(0) / 64;
        (from as usize..set.words).find_map(|word| {
            let bits = self.within_bounds(set, set.start + word, value, i64::MAX);
            (bits != 0).then(|| set.base + 64 * word as i64 + i64::from(bits.trailing_zeros()))
        })
    }

    /// Largest value of a set that is at most a value.
    fn value_to(&self, set: Set, value: i64) -> Option<i64> {
        let to = ((value - set.base).div_euclid(64) + 1).clamp(0, set.words as i64);
        (0..to as usize).rev().find_map(|word| {
            let bits = self.within_bounds(set, set.start + word, i64::MIN, value);
            (bits != 0).then(|| set.base + 64 * word as i64 + 63 - i64::from(bits.leading_zeros()))
        })
    }

    /// Every value that a node may still have, smallest first; of an unknown only.
    pub fn values(&self, node: usize) -> Vec<i64> {
        let (low, high) = (self.low[node], self.high[node]);
        let Some(set) = self.set_of(node) else {
            return (low..=high).collect();
        };
        let mut values = Vec::new();
        for word in place(set, low).0..=place(set, high).0 {
            let mut bits = self.within_bounds(set, word, low, high);
            let base = set.base + 64 * (word - set.start) as i64;
            while bits != 0 {
                values.push(base + i64::from(bits.trailing_zeros()));
                bits &= bits - 1;
            }
        }
        values
    }

    /// Keeps the values that two unknowns share.
    pub fn intersect(&mut self, a: usize, b: usize) -> Narrowed {
        let (low, high) = (self.low[a].max(self.low[b]), self.high[a].min(self.high[b]));
        self.within(a, low, high)?;
        self.within(b, low, high)?;
        let (Some(x), Some(y)) = (self.set_of(a), self.set_of(b)) else {
            return Ok(());
        };
        let (mut of_a, mut of_b) = (false, false);
        for base in (low.div_euclid(64)..=high.div_euclid(64)).map(|word| 64 * word) {
            let (word_a, word_b) = (place(x, base).0, place(y, base).0);
            let both = self.bits[word_a] & self.bits[word_b];
            for (word, changed) in [(word_a, &mut of_a), (word_b, &mut of_b)] {
                if self.bits[word] != both {
                    self.keep(word, both);
                    *changed = true;
                }
            }
        }
        if of_a {
            self.tighten(a, x)?;
        }
        if of_b {
            self.tighten(b, y)?;
        }
        Ok(())
    }
}

/// The word and bit of a value.
pub(super) fn place(set: Set, value: i64) -> (usize, u64) {
    let offset = (value - set.base) as usize;
    (set.start + offset / 64, 1 << (offset % 64))
}
