use super::*;
use proptest::prelude::*;

fn digest(seed: u8) -> Digest {
    Digest::from_sha256(&[seed; 32])
}

fn pass_until(run: Run, step: Step) -> Run {
    let mut run = run;
    while current_step(&run).map(|s| s.step) != Some(step) {
        run = match run.state {
            State::WaitingForPublisherReview => {
                decide(&run, &Input::GoLive { snapshot: run.snapshot.clone() }, 2)
            }
            _ => decide(&run, &Input::Passed { turn: run.turn }, 2),
        }
        .expect("the way is open")
        .0;
    }
    run
}

fn fresh(kind: OfferKind) -> Run {
    start(kind, digest(1), 1).0
}

#[test]
fn a_container_run_tells_begins_and_opens_in_order() {
    let (mut run, mut log) = start(OfferKind::Container, digest(1), 1);
    while !run.state.is_over() {
        let input = match run.state {
            State::WaitingForPublisherReview => Input::GoLive { snapshot: digest(1) },
            _ => Input::Passed { turn: run.turn },
        };
        let (next, effects) = decide(&run, &input, 2).expect("the way is open");
        run = next;
        log.extend(effects);
    }
    assert_eq!(run.state, State::Succeeded);
    assert_eq!(
        log,
        [
            Effect::Tell(NoticeKind::Accepted),
            Effect::Begin(Step::Validate),
            Effect::Begin(Step::Certify),
            Effect::Begin(Step::Package),
            Effect::OpenPreview,
            Effect::Tell(NoticeKind::PreviewReady),
            Effect::Begin(Step::ProvisionProd),
            Effect::Begin(Step::Live),
            Effect::OpenProduction,
            Effect::Tell(NoticeKind::Live),
        ]
    );
}

#[test]
fn a_finding_is_told_as_feedback_and_a_breakage_as_ours() {
    let certify = pass_until(fresh(OfferKind::Container), Step::Certify);
    let (blocked, effects) = decide(&certify, &Input::Blocked { turn: certify.turn }, 3).expect("applies");
    assert_eq!((blocked.state, blocked.fault), (State::Failed, Some(Fault::Publisher)));
    assert_eq!(effects, [Effect::Clean, Effect::Stop, Effect::Tell(NoticeKind::CertificationFeedback)]);
    let (broken, effects) = decide(&certify, &Input::GaveUp { turn: certify.turn }, 3).expect("applies");
    assert_eq!((broken.state, broken.fault), (State::Failed, Some(Fault::Ours)));
    assert_eq!(effects, [Effect::Clean, Effect::Stop, Effect::Tell(NoticeKind::StepFailed)]);
}

#[test]
fn go_live_is_pinned_to_what_was_previewed() {
    let waiting = pass_until(fresh(OfferKind::Container), Step::Signoff);
    let other = decide(&waiting, &Input::GoLive { snapshot: digest(2) }, 3);
    assert_eq!(other, Err(Refusal::OtherSnapshot));
    let (going, _) = decide(&waiting, &Input::GoLive { snapshot: digest(1) }, 3).expect("applies");
    assert_eq!(decide(&going, &Input::GoLive { snapshot: digest(1) }, 4), Err(Refusal::NotAtSignOff));
}

#[test]
fn cancel_follows_the_setting_at_every_step() {
    for kind in OfferKind::ALL {
        for step in itinerary(kind).iter().filter(|step| **step != Step::Preview) {
            let run = pass_until(fresh(kind), *step);
            let cancel = |rule| decide(&run, &Input::Cancel(rule), 9).map(|(run, _)| run.state);
            let (from_sign_off, any_time) = match step {
                Step::Signoff => (Ok(State::Canceled), Ok(State::Canceled)),
                step if *step > Step::Signoff => (Err(Refusal::CancelTooLate), Err(Refusal::CancelTooLate)),
                _ => (Err(Refusal::CancelTooEarly), Ok(State::Canceled)),
            };
            assert_eq!(cancel(CancelRule::FromSignOff), from_sign_off, "{kind:?} {step:?}");
            assert_eq!(cancel(CancelRule::AnyTime), any_time, "{kind:?} {step:?}");
        }
    }
}

#[test]
fn cancelling_takes_the_preview_down_and_shows_step_one_again() {
    let waiting = pass_until(fresh(OfferKind::VirtualMachine), Step::Signoff);
    let (run, effects) = decide(&waiting, &Input::Cancel(CancelRule::FromSignOff), 9).expect("applies");
    assert!(run.steps.iter().all(|step| step.status == StepStatus::NotStarted));
    let expected = [Effect::ClosePreview, Effect::Clean, Effect::Stop, Effect::Tell(NoticeKind::Canceled)];
    assert_eq!(effects, expected);
}

#[test]
fn containers_show_packaging_twice_and_machines_provisioning() {
    let titles = |kind| itinerary(kind).iter().map(|step| title_key(kind, *step)).collect::<Vec<_>>();
    let twice = |kind, key| titles(kind).iter().filter(|title| **title == key).count();
    assert_eq!(twice(OfferKind::Container, "step-packaging"), 2);
    assert_eq!(twice(OfferKind::VirtualMachine, "step-provisioning"), 2);
}

#[test]
fn the_certification_team_lets_a_run_go_on_or_sends_it_back() {
    let certify = pass_until(fresh(OfferKind::Container), Step::Certify);
    let (waiting, effects) =
        decide(&certify, &Input::PassedForReview { turn: certify.turn }, 3).expect("applies");
    assert_eq!((waiting.state, effects), (State::WaitingForApproval, vec![]));
    assert_eq!(decide(&waiting, &Input::Passed { turn: waiting.turn }, 4), Err(Refusal::Stale));
    let (going, effects) = decide(&waiting, &Input::Approve, 5).expect("applies");
    assert_eq!((going.state, effects), (State::Running, vec![Effect::Begin(Step::Package)]));
    assert_eq!(decide(&going, &Input::Approve, 6), Err(Refusal::NotInReview));
    let (back, effects) = decide(&waiting, &Input::Reject, 5).expect("applies");
    assert_eq!((back.state, back.fault), (State::Failed, Some(Fault::Publisher)));
    assert!(effects.contains(&Effect::Tell(NoticeKind::CertificationFeedback)));
    assert_eq!(
        decide(&waiting, &Input::Cancel(CancelRule::AnyTime), 5).map(|(run, _)| run.state),
        Ok(State::Canceled)
    );
    let validate = fresh(OfferKind::Container);
    assert_eq!(decide(&validate, &Input::PassedForReview { turn: validate.turn }, 3), Err(Refusal::Stale));
}

#[test]
fn the_share_that_is_reviewed_is_one_of_all_numbers() {
    let share = |rule: ReviewRule| (0..1000).filter(|drawn| rule.wants(*drawn)).count();
    assert_eq!((share(ReviewRule::Never), share(ReviewRule::Sample(100))), (0, 1000));
    assert_eq!((share(ReviewRule::Sample(50)), share(ReviewRule::Sample(1))), (500, 10));
    assert_eq!(ReviewRule::parse("10%"), Some(ReviewRule::Sample(10)));
    assert_eq!((ReviewRule::parse("101%"), ReviewRule::parse("often")), (None, None));
}

fn arbitrary_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        6 => (0_u32..12).prop_map(|turn| Input::Passed { turn }),
        1 => (0_u32..12).prop_map(|turn| Input::Blocked { turn }),
        1 => (0_u32..12).prop_map(|turn| Input::GaveUp { turn }),
        1 => Just(Input::Cancel(CancelRule::FromSignOff)),
        1 => Just(Input::Cancel(CancelRule::AnyTime)),
        3 => (1_u8..3).prop_map(|seed| Input::GoLive { snapshot: digest(seed) }),
        1 => Just(Input::Supersede),
        2 => (0_u32..12).prop_map(|turn| Input::PassedForReview { turn }),
        2 => Just(Input::Approve),
        1 => Just(Input::Reject),
    ]
}

proptest! {
    /// I4, I5, I11, I18, I20: over any sequence of inputs.
    #[test]
    fn every_history_keeps_the_invariants(
        vm: bool,
        honest in proptest::collection::vec(any::<bool>(), 40),
        inputs in proptest::collection::vec(arbitrary_input(), 40),
    ) {
        let kind = if vm { OfferKind::VirtualMachine } else { OfferKind::Container };
        let (mut run, effects) = start(kind, digest(1), 0);
        let mut begun: Vec<Step> = begins(&effects);
        let mut ended = 0;
        for (at, (input, honest)) in inputs.into_iter().zip(honest).enumerate() {
            let input = match input {
                Input::Passed { .. } if honest => Input::Passed { turn: run.turn },
                Input::PassedForReview { .. } if honest => Input::PassedForReview { turn: run.turn },
                other => other,
            };
            let now = i64::try_from(at).unwrap_or_default();
            let Ok((next, effects)) = decide(&run, &input, now) else { continue };
            prop_assert!(!run.state.is_over(), "a run that is over changed by {input:?}");
            if let Input::GoLive { snapshot } = &input {
                prop_assert_eq!(run.state, State::WaitingForPublisherReview);
                prop_assert_eq!(snapshot, &run.snapshot);
            }
            for step in begins(&effects) {
                prop_assert!(begun.iter().all(|earlier| *earlier < step), "{step:?} began twice or late");
                let before = next.steps.iter().take_while(|s| s.step != step);
                prop_assert!(before.into_iter().all(|s| s.status == StepStatus::Complete));
                begun.push(step);
            }
            if next.state.is_over() {
                ended += 1;
                prop_assert!(effects.iter().any(|e| matches!(e, Effect::Tell(_))), "a silent ending");
                prop_assert_eq!(effects.contains(&Effect::OpenProduction), next.state == State::Succeeded);
            } else {
                prop_assert!(current_step(&next).is_some(), "nobody works and nobody is asked");
            }
            prop_assert!(next.turn >= run.turn);
            run = next;
        }
        prop_assert!(ended <= 1);
    }
}

fn begins(effects: &[Effect]) -> Vec<Step> {
    effects.iter().filter_map(|e| if let Effect::Begin(step) = e { Some(*step) } else { None }).collect()
}
