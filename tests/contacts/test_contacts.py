import pandas as pd
import pytest

from churnvalue.clock import micros
from churnvalue.config import parse_config
from churnvalue.contacts import COLUMNS, NO_ACTION, account_words, experiments, read_contacts, summary
from churnvalue.engines import read_log
from churnvalue.errors import SourceError
from churnvalue.simulate import EVENT_COLUMNS, simulate_log

ORDERS = """customer_id,event_time,amount
007,2024-01-05 10:00,10
8,2024-01-06 10:00,20
9,2024-03-06 10:00,20
"""
MADE = """client,at,what,how,price,took,chance,trial
007,2024-02-01 12:00,voucher,email,1.5,1,0.25,t1
8,2024-02-01 12:00,control,,0,,0.75,t1
8,2024-02-03 12:00,voucher,email,1.5,0,0.25,t1
9,2024-02-01 12:00,control,,,,0.75,t1
10,2024-02-02 12:00,call,phone,4,,,
11,2024-02-02 12:00,,phone,4,,,
,2024-02-02 12:00,call,phone,4,,,
12,2024-04-02 12:00,call,phone,4,,,
10,2024-02-02 12:00,call,phone,4,,,
"""
COLUMNS_OF_MADE = {
    "customer_id": "client", "event_time": "at", "action": "what", "channel": "how", "cost": "price", "redeemed": "took",
    "propensity": "chance", "experiment": "trial",
}  # fmt: skip


EVENTS = {"events": [{"source": "orders.csv", "timezone": "UTC", "columns": {"amount": "amount"}}]}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orders")
    (folder / "orders.csv").write_text(ORDERS, "utf-8")
    return read_log(parse_config(EVENTS, folder))


@pytest.fixture(scope="module")
def contacts_of(tmp_path_factory, log):
    folder = tmp_path_factory.mktemp("contacts")

    def read(text=MADE, as_of="2024-03-10", columns=None, **section):
        (folder / "contacts.csv").write_text(text, "utf-8")
        raw = dict(EVENTS)
        raw["contacts"] = {"source": "contacts.csv", "timezone": "Europe/Berlin", "columns": columns or COLUMNS_OF_MADE}
        raw["contacts"] |= section
        config = parse_config(raw, folder)
        until = None if as_of is None else micros(as_of)
        return read_contacts(config, log, until)

    return read


@pytest.fixture(scope="module")
def made(contacts_of):
    return contacts_of()


def test_an_own_source_is_read_with_an_account_of_every_row(made):
    frame = made.frame
    assert list(frame.columns) == list(COLUMNS)
    assert frame["customer_id"].tolist() == ["007", "10", "8", "8", "9"]  # text, sorted
    assert frame["event_time"].iloc[0] == pd.Timestamp("2024-02-01 11:00", tz="UTC")  # an hour before Berlin's
    assert frame["action"].tolist() == ["voucher", "call", NO_ACTION, "voucher", NO_ACTION]
    assert frame["redeemed"].tolist() == [True, pd.NA, pd.NA, False, pd.NA]
    assert frame["cost"].fillna(-1).tolist() == [1.5, 4.0, 0.0, 1.5, -1.0]
    account = made.account
    assert (account.read, account.kept, account.duplicates, account.later) == (9, 5, 1, 1)
    assert account.quarantined == {"no action": 1, "no customer id": 1}
    assert made.strangers == 1  # customer 10 never bought


def test_nothing_from_the_as_of_on_is_read_and_order_does_not_matter(contacts_of, made):
    early = contacts_of(as_of="2024-02-01 11:00")  # half-open
    assert early.frame.empty
    assert early.account.later == 7
    header, *lines = MADE.splitlines()
    turned = contacts_of("\n".join([header, *lines[::-1]]) + "\n")
    pd.testing.assert_frame_equal(turned.frame, made.frame)
    assert len(contacts_of(as_of=None).frame) == 5  # the log ends before the contact in April


def test_a_customer_counts_once_in_an_experiment(made):
    (found,) = experiments(made)
    assert (found.name, found.arms, found.evidence) == ("t1", (NO_ACTION, "voucher"), "column")
    assert found.counts == {NO_ACTION: 2, "voucher": 1}
    assert found.propensity == {NO_ACTION: 0.75, "voucher": 0.25}
    assert (found.repeated, found.crossed) == (1, 1)
    assert found.frame["customer_id"].tolist() == ["007", "8", "9"]
    assert found.sample_ratio.p_value == 1.0  # 1 of 3 at .25: nothing is likelier
    assert found.sample_ratio.fits


def test_what_actions_really_were(made):
    found = summary(made)
    assert found.loc["voucher"].tolist() == [2, 1.5, 2, 0.5]
    assert found.loc["call", "redemption"] != found.loc["call", "redemption"]  # nobody noted it


def test_propensities_come_from_the_configuration_or_the_shares(contacts_of):
    columns = {name: column for name, column in COLUMNS_OF_MADE.items() if name != "propensity"}
    (stated,) = experiments(contacts_of(columns=columns, propensity={"voucher": 0.5}))
    assert (stated.evidence, stated.propensity) == ("configuration", {NO_ACTION: 0.5, "voucher": 0.5})
    (shares,) = experiments(contacts_of(columns=columns))
    assert (shares.evidence, shares.sample_ratio) == ("arm shares", None)
    assert shares.propensity["voucher"] == pytest.approx(1 / 3)
    (unfit,) = experiments(contacts_of(columns=columns, propensity={"voucher": 0.5, "control": 0.2}))
    assert "must sum to 1, but they are none 0.2, voucher 0.5" in unfit.unfit


def test_an_unfair_draw_is_seen(contacts_of):
    rows = [f"{k},2024-02-01 12:00,{'voucher' if k < 180 else 'control'},,,,0.5,t1" for k in range(100, 200)]
    (found,) = experiments(contacts_of(MADE.splitlines()[0] + "\n" + "\n".join(rows) + "\n"))
    assert not found.sample_ratio.fits
    assert found.sample_ratio.expected == {NO_ACTION: 50.0, "voucher": 50.0}


@pytest.mark.parametrize(
    ("old", "new", "error", "match"),
    [
        (",1.5,1,0.25", ",-1.5,1,0.25", SourceError, r"cost of a contact must be money of at least 0, but -1.5 came"),
        (
            ",1.5,1,0.25",
            ",1.5,2,0.25",
            SourceError,
            r"redeemed of a contact must be 0 or 1, but 2 came \(1 such rows\)\. Check",
        ),
        (",1.5,1,0.25", ",1.5,1,1", SourceError, r"propensity of a contact must be above 0 and below 1, but 1 came"),
        (",1.5,1,0.25", ",1.5,1,0", SourceError, r"propensity of a contact must be above 0 and below 1, but 0 came"),
        (",1.5,1,0.25", ",1.5,yes,0.25", SourceError, r"redeemed of contacts.csv must be 0 or 1, .* but 'yes' came"),
        (",1.5,1,0.25", ",cheap,1,0.25", SourceError, r"^\[contacts\]: cost of contacts.csv must be numbers such as"),
        ("what", "act", SourceError, r"\[contacts\]: contacts.csv must have the column 'what' for action"),
    ],
)
def test_contacts_that_cannot_be(contacts_of, old, new, error, match):
    with pytest.raises(error, match=match):
        experiments(contacts_of(MADE.replace(old, new)))


def test_redeemed_may_be_written_as_true_and_false(contacts_of, made):
    text = MADE.replace(",1.5,1,0.25", ",1.5,True,0.25").replace(",1.5,0,0.25", ",1.5,false,0.25")
    pd.testing.assert_frame_equal(contacts_of(text).frame, made.frame)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("0.25", "0.5", "propensities of its arms must sum to 1, but they are none 0.75, voucher 0.5"),
        ("control,,,,0.75", "control,,,,", "or none must state its propensity, but 2 of 3 do"),
        ("control", "voucher", "all its 3 customers got 'voucher', none another arm"),
    ],
)
def test_an_experiment_that_teaches_nothing_says_why(contacts_of, old, new, why):
    other = "7,2024-02-01 12:00,call,,,,0.5,t2\n8,2024-02-01 12:00,control,,,,0.5,t2\n"
    unfit, fit = experiments(contacts_of(MADE.replace(old, new) + other))
    assert why in unfit.unfit
    assert unfit.frame["propensity"].isna().all()
    assert (fit.name, fit.unfit) == ("t2", "")


def test_what_became_of_contacts_is_told(contacts_of):
    contacts = contacts_of(propensity={"vouchr": 0.5})
    whole, idle = account_words(contacts, experiments(contacts))
    assert whole == (
        "9 contacts read: 4 in experiments; 1 outside any experiment, so nothing is learnt from them; 1 later than could be"
        " known; 1 repeated rows; 2 that cannot be used (no action: 1, no customer id: 1); 1 of a customer who was in the"
        " same experiment before, left out; 1 customers in more than one arm of an experiment, of whom the first counts;"
        " 1 customers who are not in the log."
    )
    assert idle.startswith("[contacts] propensity states that of 'vouchr', but no contact is of that action")
    assert idle.endswith("Did you mean 'voucher'?")


def test_mostly_unusable_contacts_are_refused(contacts_of):
    with pytest.raises(
        SourceError, match=r"At most 50% of the contacts may be unusable, but 2 of 3 are \(no customer id\)"
    ):
        contacts_of(
            MADE.splitlines()[0] + "\n" + "7,2024-02-01,call,,,,,\n,2024-02-01,call,,,,,\n,2024-02-02,call,,,,,\n"
        )


def test_offers_of_a_simulated_log_are_contacts(tmp_path):
    made = simulate_log(customers=150, days=240, seed=4)
    made.events.to_parquet(tmp_path / "events.parquet", index=False)
    columns = {name: name for name in EVENT_COLUMNS if name != "kind"}
    source = {"source": "events.parquet", "kind": {"column": "kind"}, "columns": columns}
    config = parse_config({"events": [source], "contacts": {"propensity": {"voucher": 0.5}}}, tmp_path)
    log = read_log(config)
    found = read_contacts(config, log)
    offers = made.events[made.events["kind"] == "offer"]
    assert len(found.frame) == len(offers) > 20
    assert found.strangers == 0
    (trial,) = experiments(found)
    arms = made.customers.set_index("customer_id")["arm"].replace("control", NO_ACTION)
    assert (trial.frame["action"].to_numpy() == arms[trial.frame["customer_id"]].to_numpy()).all()
    assert trial.sample_ratio.fits
    without = config.model_copy(update={"contacts": config.contacts.model_copy(update={"kind": "letter"})})
    assert read_contacts(without, log).frame.empty
    assert experiments(read_contacts(without, log)) == ()
