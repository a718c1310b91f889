//! From a specification and choices to constraints, texts and answers.

mod answers;
mod clues;
mod variables;

use super::{
    configuration::Configuration,
    draw::Draw,
    formula::{Formula, Scope, Value, Wrong},
    problem::{Problem, Unknown},
    solver::{Embedded, SolveError, Solver},
    spec::{Sourced, Spec, SpecError, Worded},
    term::Term,
};

/// Draws for one thing before it counts as impossible.
pub const DRAWS: usize = 1000;
/// Most unknowns of a puzzle.
const UNKNOWNS: usize = 2000;

/// Why choices give no puzzle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Other choices may do.
    Rejected(Rejection),
    /// No draw fulfilled a formula, which other choices may make possible.
    NoDraw(SpecError),
    /// The specification is wrong.
    Spec(SpecError),
}

/// Why a draw was thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rejection {
    /// No assignment satisfies the constraints.
    NoSolution,
    /// More solutions than the specification allows.
    TooManySolutions,
    /// Solutions answer a question differently.
    Ambiguous,
    /// The clues, as many as there may be, leave more than one solution.
    NotUnique,
    /// No draw was found that fulfils a `where` or `together`.
    NoDraw,
    /// Too few right or wrong options.
    Options,
    /// The solver gave up.
    GaveUp,
}

impl Rejection {
    /// What happened, for a summary.
    pub fn about(self) -> &'static str {
        match self {
            Rejection::NoSolution => "no solution",
            Rejection::TooManySolutions => "too many solutions",
            Rejection::Ambiguous => "ambiguous answer",
            Rejection::NotUnique => "not unique with all clues",
            Rejection::NoDraw => "no draw fulfils a condition",
            Rejection::Options => "no right or no wrong option",
            Rejection::GaveUp => "solver gave up",
        }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Failure::Rejected(rejection)
    }
}

impl From<SpecError> for Failure {
    fn from(error: SpecError) -> Self {
        Failure::Spec(error)
    }
}

impl From<SolveError> for Failure {
    fn from(error: SolveError) -> Self {
        match error {
            SolveError::Problem(problem) => Failure::Spec(SpecError::whole(problem.to_string())),
            SolveError::GaveUp { .. } | SolveError::Unknown { .. } => Rejection::GaveUp.into(),
        }
    }
}

/// Where choices come from.
pub(crate) enum Choices<'a> {
    Drawn(&'a mut Draw),
    Recorded(&'a Configuration),
    /// Variables of these names are drawn anew, everything else is recorded.
    Redrawn(&'a Configuration, &'a [String], &'a mut Draw),
}

/// A puzzle while it is made.
pub(crate) struct Build<'a> {
    spec: &'a Spec,
    solver: &'a dyn Solver,
    wording: &'a str,
    scope: Scope,
    pub problem: Problem,
    /// Of each constraint, how it is said.
    pub labels: Vec<String>,
    texts: Vec<Value>,
    pub configuration: Configuration,
    pub solutions: Vec<Vec<i64>>,
    pub optimum: Option<i64>,
    /// Places of variables in their ranges, 0 to 1, the harder the larger.
    scales: Vec<f64>,
}

type Built<T> = Result<T, Failure>;

impl<'a> Build<'a> {
    /// Makes everything up to the questions.
    pub fn new(
        spec: &'a Spec,
        solver: &'a dyn Solver,
        wording: &'a str,
        choices: Choices,
    ) -> Built<Self> {
        let mut build = Self::partial(spec, solver, wording, choices, [usize::MAX; 2])?;
        build.solve()?;
        Ok(build)
    }

    /// Makes everything before the statement and the condition of these numbers.
    pub fn partial(
        spec: &'a Spec,
        solver: &'a dyn Solver,
        wording: &'a str,
        mut choices: Choices,
        [statements, conditions]: [usize; 2],
    ) -> Built<Self> {
        let mut build = Self {
            spec,
            solver,
            wording,
            scope: spec.scope(),
            problem: Problem::default(),
            labels: Vec::new(),
            texts: Vec::new(),
            configuration: Configuration::default(),
            solutions: Vec::new(),
            optimum: None,
            scales: Vec::new(),
        };
        build.variables(&mut choices)?;
        build.symbols()?;
        build.statements(&mut choices, statements)?;
        let count = spec.conditions.len();
        for (number, condition) in spec.conditions.iter().enumerate().take(conditions) {
            build.condition(condition, number, &mut choices)?;
        }
        if spec.secret && conditions > count {
            build.secret(&mut choices)?;
        }
        let clues = spec
            .clues
            .iter()
            .enumerate()
            .map(|(number, clue)| (count + number, clue));
        for (number, condition) in clues.take_while(|(number, _)| *number < conditions) {
            build.condition(condition, number, &mut choices)?;
        }
        Ok(build)
    }

    fn value(&mut self, formula: &Sourced<Formula>) -> Built<Value> {
        let value = self.scope.evaluate(&formula.parsed.expression);
        Ok(value.map_err(|wrong| self.spec.explain(formula, &wrong))?)
    }

    fn wrong(&self, formula: &Sourced<Formula>, message: impl Into<String>) -> Failure {
        let at = formula.parsed.expression.at;
        self.spec.explain(formula, &Wrong::new(at, message)).into()
    }

    fn holds(&mut self, filter: Option<&Sourced<Formula>>) -> Built<bool> {
        let Some(filter) = filter else {
            return Ok(true);
        };
        match self.value(filter)? {
            Value::Bool(value) => Ok(value),
            other => Err(self.wrong(
                filter,
                format!("{}, but a known truth value is expected", other.kind()),
            )),
        }
    }

    fn render(&mut self, worded: &Worded) -> Built<String> {
        let template = worded.of(self.wording);
        let text = template.parsed.render(&mut self.scope);
        Ok(text.map_err(|wrong| self.spec.explain(template, &wrong))?)
    }

    /// Chooses a solution of the conditions so far, which clues may then use.
    fn secret(&mut self, choices: &mut Choices) -> Built<()> {
        let spec = self.spec;
        let secret = match choices {
            Choices::Drawn(draw) => {
                let found = Embedded::default().any_solution(&self.problem, draw)?;
                found.ok_or(Rejection::NoSolution)?
            }
            Choices::Recorded(recorded) | Choices::Redrawn(recorded, ..) => recorded.secret.clone(),
        };
        let inside = |(unknown, value): (&Unknown, &i64)| {
            let (low, high) = unknown.domain.bounds();
            (low..=high).contains(value)
        };
        let holds = |term: &Term| term.evaluate(&secret) == Some(1);
        if secret.len() != self.problem.unknowns.len()
            || !self.problem.unknowns.iter().zip(&secret).all(inside)
            || !self.problem.constraints.iter().all(holds)
        {
            return Err(misfit("the secret solution"));
        }
        for symbol in &spec.symbols {
            let (keys, values) = self.known(&symbol.name, &secret);
            self.bind(symbol, &format!("secret.{}", symbol.name), keys, values);
        }
        self.configuration.secret = secret;
        Ok(())
    }
}

fn misfit(what: &str) -> Failure {
    SpecError::whole(format!(
        "the configuration does not fit this specification: {what}"
    ))
    .into()
}
