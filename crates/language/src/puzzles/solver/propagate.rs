//! What each operator tells of its arguments and they of it.

use super::network::{Conflict, Narrowed, Network, Rule};
use crate::puzzles::problem::{absolute, product, quotient};

impl Network {
    /// Narrows until nothing changes any more.
    pub fn propagate(&mut self) -> Narrowed {
        while let Some(node) = self.next() {
            self.revise(node)?;
        }
        Ok(())
    }

    fn revise(&mut self, node: usize) -> Narrowed {
        let x = self.arguments(node);
        let at = |network: &Self, index: usize| network.argument(x.start + index);
        match self.rules[node] {
            Rule::Constant(_) | Rule::Unknown(_) => Ok(()),
            Rule::And => self.junction(node, 0),
            Rule::Or => self.junction(node, 1),
            Rule::Not => {
                let a = at(self, 0);
                self.within(node, 1 - self.high[a], 1 - self.low[a])?;
                self.within(a, 1 - self.high[node], 1 - self.low[node])
            }
            Rule::Equal => self.equality(node, at(self, 0), at(self, 1)),
            Rule::AtMost => self.order(node, at(self, 0), at(self, 1)),
            Rule::Add => self.sum(node),
            Rule::Subtract => {
                let (a, b) = (at(self, 0), at(self, 1));
                self.within(node, self.low[a] - self.high[b], self.high[a] - self.low[b])?;
                self.within(
                    a,
                    self.low[node] + self.low[b],
                    self.high[node] + self.high[b],
                )?;
                self.within(
                    b,
                    self.low[a] - self.high[node],
                    self.high[a] - self.low[node],
                )
            }
            Rule::Multiply => self.product(node, at(self, 0), at(self, 1)),
            Rule::Divide => self.quotient(node, at(self, 0), at(self, 1)),
            Rule::Modulo => self.remainder(node, at(self, 0), at(self, 1)),
            Rule::Absolute => {
                let a = at(self, 0);
                let (low, high) = absolute((self.low[a], self.high[a]));
                self.within(node, low, high)?;
                self.within(a, -self.high[node], self.high[node])?;
                let least = self.low[node];
                if self.low[a] > -least {
                    self.at_least(a, least)?;
                }
                if self.high[a] < least {
                    self.at_most(a, -least)?;
                }
                Ok(())
            }
            Rule::If => self.choice(node, at(self, 0), at(self, 1), at(self, 2)),
            Rule::Distinct => self.distinct(node),
            Rule::Maximum => self.maximum(node),
        }
    }

    /// `and` where `decisive` is 0, `or` where it is 1: one argument of that value decides.
    fn junction(&mut self, node: usize, decisive: i64) -> Narrowed {
        let x = self.arguments(node);
        let mut open = None;
        let mut more = false;
        for place in x.clone() {
            let a = self.argument(place);
            if !self.fixed(a) {
                more |= open.replace(a).is_some();
            } else if self.low[a] == decisive {
                return self.set(node, decisive);
            }
        }
        match open {
            None => self.set(node, 1 - decisive),
            Some(_) if !self.fixed(node) => Ok(()),
            Some(_) if self.low[node] == 1 - decisive => {
                for place in x {
                    self.set(self.argument(place), 1 - decisive)?;
                }
                Ok(())
            }
            Some(a) if !more => self.set(a, decisive),
            Some(_) => Ok(()),
        }
    }

    fn equality(&mut self, node: usize, a: usize, b: usize) -> Narrowed {
        if self.fixed(node) && self.low[node] == 1 {
            return self.intersect(a, b);
        }
        if self.high[a] < self.low[b] || self.high[b] < self.low[a] {
            return self.set(node, 0);
        }
        for (a, b) in [(a, b), (b, a)] {
            if !self.fixed(a) {
                continue;
            }
            if self.fixed(b) {
                return self.set(node, 1);
            }
            if !self.may_be(b, self.low[a]) {
                return self.set(node, 0);
            }
            if self.fixed(node) {
                return self.exclude(b, self.low[a]);
            }
        }
        if a == b { self.set(node, 1) } else { Ok(()) }
    }

    fn order(&mut self, node: usize, a: usize, b: usize) -> Narrowed {
        if self.high[a] <= self.low[b] {
            return self.set(node, 1);
        }
        if self.low[a] > self.high[b] {
            return self.set(node, 0);
        }
        match (self.fixed(node), self.low[node]) {
            (true, 1) => {
                self.at_most(a, self.high[b])?;
                self.at_least(b, self.low[a])
            }
            (true, _) => {
                self.at_least(a, self.low[b] + 1)?;
                self.at_most(b, self.high[a] - 1)
            }
            _ => Ok(()),
        }
    }

    fn sum(&mut self, node: usize) -> Narrowed {
        let x = self.arguments(node);
        let (mut low, mut high) = (0, 0);
        for place in x.clone() {
            let a = self.argument(place);
            low += self.low[a];
            high += self.high[a];
        }
        self.within(node, low, high)?;
        let (spare, need) = (self.high[node] - low, self.low[node] - high);
        for place in x {
            let a = self.argument(place);
            // The others are at least low − a.low and at most high − a.high together.
            let (least, most) = (self.low[a], self.high[a]);
            if most - least > spare || least - most < need {
                self.within(a, most.saturating_add(need), least.saturating_add(spare))?;
            }
        }
        Ok(())
    }

    fn product(&mut self, node: usize, a: usize, b: usize) -> Narrowed {
        let of = |network: &Self, n: usize| (network.low[n], network.high[n]);
        let (low, high) = product(of(self, a), of(self, b));
        self.within(node, low, high)?;
        if a == b {
            let most = (self.high[node].max(0) as u64).isqrt() as i64;
            return self.within(a, -most, most);
        }
        for (a, b) in [(a, b), (b, a)] {
            let ((n0, n1), (b0, b1)) = (of(self, node), of(self, b));
            // Where b may be 0, a may be anything if the product may be 0 as well.
            if b0 > 0 || b1 < 0 {
                let (n, d) = if b0 > 0 {
                    ((n0, n1), (b0, b1))
                } else {
                    ((-n1, -n0), (-b1, -b0))
                };
                // ⌈n/d⌉ = −⌊−n/d⌋
                let low = -quotient((-n.0, -n.0), if n.0 >= 0 { (d.1, d.1) } else { (d.0, d.0) }).0;
                let high = quotient((n.1, n.1), if n.1 >= 0 { (d.0, d.0) } else { (d.1, d.1) }).1;
                self.within(a, low, high)?;
            } else if n0 > 0 || n1 < 0 {
                self.exclude(b, 0)?;
                self.exclude(a, 0)?;
            }
        }
        Ok(())
    }

    fn quotient(&mut self, node: usize, a: usize, b: usize) -> Narrowed {
        let (low, high) = quotient((self.low[a], self.high[a]), (self.low[b], self.high[b]));
        self.within(node, low, high)?;
        // node · b ≤ a ≤ (node + 1) · b − 1
        let (n0, n1, b0, b1) = (
            self.low[node],
            self.high[node] + 1,
            self.low[b],
            self.high[b],
        );
        let least = n0.saturating_mul(if n0 >= 0 { b0 } else { b1 });
        let most = n1.saturating_mul(if n1 >= 0 { b1 } else { b0 });
        self.within(a, least, most - 1)
    }

    fn remainder(&mut self, node: usize, a: usize, b: usize) -> Narrowed {
        self.within(node, 0, self.high[b] - 1)?;
        if !self.fixed(b) {
            if self.fixed(a) && self.low[a] >= 0 {
                self.at_most(node, self.low[a])?;
            }
            return Ok(());
        }
        let divisor = self.low[b];
        let turn = self.low[a].div_euclid(divisor);
        if turn == self.high[a].div_euclid(divisor) {
            let start = turn * divisor;
            self.within(node, self.low[a] - start, self.high[a] - start)?;
            return self.within(a, start + self.low[node], start + self.high[node]);
        }
        if self.fixed(node) {
            let left = self.low[node];
            let low = self.low[a] + (left - self.low[a]).rem_euclid(divisor);
            let high = self.high[a] - (self.high[a] - left).rem_euclid(divisor);
            self.within(a, low, high)?;
            if self.set_of(a).is_some() {
                for value in self.values(a) {
                    if value.rem_euclid(divisor) != left {
                        self.exclude(a, value)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn choice(&mut self, node: usize, condition: usize, yes: usize, no: usize) -> Narrowed {
        if self.fixed(condition) {
            let chosen = if self.low[condition] == 1 { yes } else { no };
            let low = self.low[node].max(self.low[chosen]);
            let high = self.high[node].min(self.high[chosen]);
            self.within(node, low, high)?;
            return self.within(chosen, low, high);
        }
        let low = self.low[yes].min(self.low[no]);
        let high = self.high[yes].max(self.high[no]);
        self.within(node, low, high)?;
        let apart = |network: &Self, a: usize| {
            network.high[node] < network.low[a] || network.low[node] > network.high[a]
        };
        if apart(self, yes) {
            self.set(condition, 0)?;
        }
        if apart(self, no) {
            self.set(condition, 1)?;
        }
        Ok(())
    }

    fn maximum(&mut self, node: usize) -> Narrowed {
        let x = self.arguments(node);
        let (mut low, mut high) = (i64::MIN, i64::MIN);
        for place in x.clone() {
            let a = self.argument(place);
            low = low.max(self.low[a]);
            high = high.max(self.high[a]);
        }
        self.within(node, low, high)?;
        let mut reaching = None;
        let mut more = false;
        for place in x {
            let a = self.argument(place);
            self.at_most(a, self.high[node])?;
            if self.high[a] >= self.low[node] {
                more |= reaching.replace(a).is_some();
            }
        }
        match reaching {
            None => Err(Conflict),
            Some(a) if !more => self.at_least(a, self.low[node]),
            Some(_) => Ok(()),
        }
    }

    fn distinct(&mut self, node: usize) -> Narrowed {
        let x = self.arguments(node);
        let mut all_fixed = true;
        for place in x.clone() {
            let a = self.argument(place);
            all_fixed &= self.fixed(a);
            let mut others = x.clone().filter(|&other| other < place && self.fixed(a));
            if others.any(|other| {
                let b = self.argument(other);
                self.fixed(b) && self.low[b] == self.low[a]
            }) {
                return self.set(node, 0);
            }
        }
        if all_fixed {
            return self.set(node, 1);
        }
        if !self.fixed(node) || self.low[node] == 0 {
            return Ok(());
        }
        for place in x.clone() {
            let a = self.argument(place);
            if self.fixed(a) {
                for other in x.clone().filter(|&other| other != place) {
                    self.exclude(self.argument(other), self.low[a])?;
                }
            }
        }
        self.pigeons(x)
    }

    /// As many values as arguments: a value that one argument alone may have is its value. Fewer: a conflict.
    fn pigeons(&mut self, x: std::ops::Range<usize>) -> Narrowed {
        let nodes: Vec<usize> = x.map(|place| self.argument(place)).collect();
        let low = nodes.iter().map(|&a| self.low[a]).min().unwrap_or(0);
        let high = nodes.iter().map(|&a| self.high[a]).max().unwrap_or(0);
        // Where there are many more values than arguments, counting tells nothing.
        if high - low >= 4 * nodes.len() as i64 + 64 {
            return Ok(());
        }
        let mut holders = vec![0u32; (high - low + 1) as usize];
        for &a in &nodes {
            for value in self.values(a) {
                holders[(value - low) as usize] += 1;
            }
        }
        let values = holders.iter().filter(|&&count| count > 0).count();
        if values < nodes.len() {
            return Err(Conflict);
        }
        if values > nodes.len() {
            return Ok(());
        }
        for a in nodes {
            let only = self
                .values(a)
                .into_iter()
                .find(|v| holders[(v - low) as usize] == 1);
            if let Some(value) = only
                && self.set_of(a).is_some()
            {
                self.set(a, value)?;
            }
        }
        Ok(())
    }
}
