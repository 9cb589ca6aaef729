//! Step 1: what a caller sees points to one of the six classes, and seldom says whether the work was
//! done.

use taxonomy::{Class, Symptom, WorkDone, classify, work_done};

/// The symptoms that are taken for this class.
fn taken_for(class: Class) -> Vec<Symptom> {
    Symptom::ALL.into_iter().filter(|symptom| classify(*symptom) == class).collect()
}

#[test]
fn what_stopped_has_crashed() {
    assert_eq!(
        classify(Symptom::Refused),
        Class::Crash,
        "nothing listens where something should: the process is gone"
    );
    assert_eq!(
        taken_for(Class::Crash),
        [Symptom::Refused, Symptom::Reset, Symptom::HeartbeatsMissed],
        "when a process dies its system refuses what is new and resets what is open, and its \
         heartbeats stop"
    );
}

#[test]
fn what_never_arrives_is_an_omission() {
    assert_eq!(
        taken_for(Class::Omission),
        [Symptom::NoConnection, Symptom::NoAnswer, Symptom::Closed],
        "in all three the caller waited for something, and it didn't come"
    );
}

#[test]
fn what_is_right_and_too_late_is_a_timing_failure() {
    assert_eq!(
        taken_for(Class::Timing),
        [Symptom::Late],
        "an answer that came is late; one that never came is an omission, however long you waited"
    );
}

#[test]
fn what_comes_in_time_and_is_wrong_is_a_response_failure() {
    assert_eq!(
        taken_for(Class::Response),
        [Symptom::ErrorStatus, Symptom::Corrupted, Symptom::Malformed, Symptom::Implausible],
        "an answer came, and it isn't the one that was asked for: an error, a changed one, an \
         unreadable one, or one that can't be true"
    );
}

#[test]
fn it_takes_others_to_see_a_liar_and_a_cascade() {
    assert_eq!(
        taken_for(Class::Byzantine),
        [Symptom::Outvoted],
        "one answer alone never shows that its sender lies: it takes other replicas"
    );
    assert_eq!(
        taken_for(Class::Cascade),
        [Symptom::DependencyFails],
        "the failure of one service is a cascade only together with what is beneath it"
    );
}

#[test]
fn only_three_symptoms_say_whether_the_work_was_done() {
    let said = |done: WorkDone| -> Vec<_> {
        Symptom::ALL.into_iter().filter(|symptom| work_done(*symptom) == done).collect()
    };

    assert_eq!(
        said(WorkDone::No),
        [Symptom::Refused, Symptom::NoConnection],
        "what was never sent was not done. Of everything else the request may have arrived: a \
         reset comes after the commit as well, and the 504 of a proxy says nothing of the service \
         behind it"
    );
    assert_eq!(
        said(WorkDone::Yes),
        [Symptom::Late],
        "a complete and valid answer says that it was done, though its deadline was over. An answer \
         that is corrupted, wrong or outvoted proves nothing"
    );
}
