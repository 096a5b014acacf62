"""Releases and refusals are counted where they are logged, so that the dashboard shows both."""

from prometheus_client import REGISTRY


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


class TestCounting:
    def test_a_release_and_a_refusal_each_count_once(self, consenting) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)
        released = counted("xinglin_releases_total", ground="grant")
        refused = counted("xinglin_refusals_total", ground="grant", term="purpose")

        assert consenting.ask(doctor, record, grant=grant.id).status_code == 200
        answer = consenting.ask(doctor, record, grant=grant.id, purpose="HPAYMT")

        assert answer.status_code == 403
        assert counted("xinglin_releases_total", ground="grant") == released + 1
        assert counted("xinglin_refusals_total", ground="grant", term="purpose") == refused + 1
