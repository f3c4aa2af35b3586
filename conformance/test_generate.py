"""Generation: what must be accepted, what must be refused, and what is left out."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("generate.minimal", case.minimal)
def test_minimal(verify: Verify) -> None:
    """Model and prompt are enough: everything else has a default."""
    verify()


@requirement("generate.full", case.full)
def test_full(verify: Verify) -> None:
    """The full documented body is accepted: model, prompt, n, size and response_format."""
    verify()


@requirement("generate.default-format", case.minimal)
def test_default_format(verify: Verify) -> None:
    """Where response_format is left out, the answer comes in the default format."""
    verify()


@requirement("generate.default-n", case.minimal)
def test_default_n(verify: Verify) -> None:
    """Where n is left out, exactly one picture comes."""
    verify()


@requirement("generate.default-size", case.minimal)
def test_default_size(verify: Verify) -> None:
    """Where size is left out, the picture has the default size."""
    verify()


@requirement("generate.b64-json", case.b64_json)
def test_b64_json(verify: Verify) -> None:
    """With response_format b64_json every item carries b64_json."""
    verify()


@requirement("generate.url", case.url)
def test_url(verify: Verify) -> None:
    """With response_format url every item carries a url."""
    verify()


@requirement("generate.n-honoured", case.two_of_each)
def test_n_honoured(verify: Verify) -> None:
    """A request for n pictures brings n pictures."""
    verify()


@requirement("generate.unicode-prompt", case.any_text_and_nulls)
def test_unicode_prompt(verify: Verify) -> None:
    """A prompt may hold any text: quotes, line breaks, emoji, other scripts."""
    verify()


@requirement("generate.unknown-field", case.unnamed_fields)
def test_unknown_field(verify: Verify) -> None:
    """A field that the contract does not name is refused in the envelope or ignored, never met with a 5xx."""
    verify()


@requirement("generate.null-fields", case.any_text_and_nulls)
def test_null_fields(verify: Verify) -> None:
    """null for n, size or response_format is the same as leaving it out."""
    verify()


@requirement("generate.no-lasting-error", case.every_good)
def test_no_lasting_error(verify: Verify) -> None:
    """No good request is answered with a server error each time, while other good requests are served."""
    verify()


@requirement("generate.openai-fields", case.unnamed_fields)
def test_openai_fields(verify: Verify) -> None:
    """OpenAI's further fields are honoured, ignored or refused in the envelope, never met with a 5xx."""
    verify()


@requirement("generate.long-prompt", case.unnamed_fields)
def test_long_prompt(verify: Verify) -> None:
    """A long prompt is answered well or refused in the envelope, never met with a 5xx."""
    verify()


@requirement("generate.prompt-odd", case.odd_prompts)
def test_prompt_odd(verify: Verify) -> None:
    """A prompt of controls, white space or half a character is answered well or refused, never met with a 5xx."""
    verify()


@requirement("generate.empty-prompt", case.empty_prompt)
def test_empty_prompt(verify: Verify) -> None:
    """An empty prompt is answered well or refused in the envelope, never met with a 5xx."""
    verify()


@requirement("generate.size-undeclared", case.undeclared_size)
def test_size_undeclared(verify: Verify) -> None:
    """A size that the target does not declare is refused or served exactly, never replaced by another."""
    verify()


@requirement("generate.malformed-json", case.malformed)
def test_malformed_json(verify: Verify) -> None:
    """A body that is not JSON is refused: 4xx, in the envelope."""
    verify()


@requirement("generate.not-an-object", case.not_an_object)
def test_not_an_object(verify: Verify) -> None:
    """A JSON body that is no object is refused."""
    verify()


@requirement("generate.prompt-missing", case.prompt_missing)
def test_prompt_missing(verify: Verify) -> None:
    """A body without a prompt is refused."""
    verify()


@requirement("generate.prompt-type", case.breaking("generate.prompt-type"))
def test_prompt_type(verify: Verify) -> None:
    """A prompt that is no string is refused."""
    verify()


@requirement("generate.model-unknown", case.unknown_model)
def test_model_unknown(verify: Verify) -> None:
    """An unknown model is answered with 404, never with another model's picture."""
    verify()


@requirement("generate.model-type", case.breaking("generate.model-type"))
def test_model_type(verify: Verify) -> None:
    """A model that is no string is refused."""
    verify()


@requirement("generate.n-out-of-range", case.n_out_of_range)
def test_n_out_of_range(verify: Verify) -> None:
    """An n outside 1 to the maximum is refused, not clamped."""
    verify()


@requirement("generate.n-type", case.breaking("generate.n-type"))
def test_n_type(verify: Verify) -> None:
    """An n that is no integer is refused, not coerced."""
    verify()


@requirement("generate.size-invalid", case.breaking("generate.size-invalid"))
def test_size_invalid(verify: Verify) -> None:
    """A size that names no width and height is refused, not replaced by a default."""
    verify()


@requirement("generate.size-type", case.breaking("generate.size-type"))
def test_size_type(verify: Verify) -> None:
    """A size that is no string is refused."""
    verify()


@requirement("generate.response-format-invalid", case.breaking("generate.response-format-invalid"))
def test_response_format_invalid(verify: Verify) -> None:
    """A response_format that is not documented is refused, not replaced by a default."""
    verify()


@requirement("generate.response-format-type", case.breaking("generate.response-format-type"))
def test_response_format_type(verify: Verify) -> None:
    """A response_format that is no string is refused."""
    verify()


@requirement("generate.declared-field", case.breaking("generate.declared-field"))
def test_declared_field(verify: Verify) -> None:
    """A further field that the target declares is held to its rule: what breaks it is refused, not ignored."""
    verify()


@requirement("generate.forbidden-combination", case.combined)
def test_forbidden_combination(verify: Verify) -> None:
    """A body that breaks the request schema in several places is refused all the same, never with a 5xx."""
    verify()


@requirement("generate.model-malformed", case.malformed_model)
def test_model_malformed(verify: Verify) -> None:
    """A model slug that is very long, has no slash, or holds controls or half a character never meets a 5xx."""
    verify()


@requirement("generate.unnamed-form", case.unnamed_form)
def test_unnamed_form(verify: Verify) -> None:
    """A bad body in a form that no contract names is refused as any other, never met with a 5xx."""
    verify()
