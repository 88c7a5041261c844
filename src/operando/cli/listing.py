"""steps, formats, materials, doctor, bench: what operando can do, on what, with which back ends, how fast."""

from typing import Any

import click

from operando.cli import shared


@click.command(epilog="Example: operando steps segment")
@click.argument("name", required=False, shell_complete=shared.complete_step)
@shared.common_options
def steps(name: str | None, as_json: bool, quiet: bool, verbose: int) -> None:
    """List the steps, or the parameters of one."""
    from operando.pipeline.steps import known_steps

    known = known_steps()
    if name is not None and name not in known:
        raise click.UsageError(f"there is no step {name!r}; `operando steps` lists them.")
    chosen = [known[name]] if name else list(known.values())
    if as_json:
        shared.print_json({"steps": [_as_json(step) for step in chosen]})
    elif name is None:
        rows = [[s.name, s.room, s.over or "experiment", s.sentence] for s in chosen]
        shared.table("Steps", ["step", "room", "over", "does"], rows)
    else:
        _describe(chosen[0])


def _as_json(step: Any) -> dict[str, Any]:
    schema = step.parameters[1].model_json_schema() if step.parameters else None
    return {
        "name": step.name,
        "room": step.room,
        "over": step.over,
        "version": step.version,
        "does": step.sentence,
        "inputs": [needed.contract.name for needed in step.inputs],
        "outputs": [output.name for output in step.outputs],
        "settings": [setting.path for _, setting in step.settings],
        "parameters": schema,
    }


def _describe(step: Any) -> None:
    click.echo(f"{step.name} ({step.room}): {step.sentence}")
    click.echo(f"from {', '.join(needed.contract.name for needed in step.inputs)}")
    click.echo(f"to   {', '.join(output.name for output in step.outputs)}")
    if step.parameters:
        click.echo(f"[steps.{step.name}]")
        for key, field in step.parameters[1].model_fields.items():
            click.echo(f"{key} = {field.default!r}   # {field.description or ''}{_limits(field)}")


def _limits(field: Any) -> str:
    limits = [
        f"{sign} {getattr(item, word)}" for item in field.metadata for word, sign in _SIGNS if hasattr(item, word)
    ]
    return f" ({', '.join(limits)})" if limits else ""


_SIGNS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))


@click.command(epilog="Example: operando formats --json")
@shared.common_options
def formats(as_json: bool, quiet: bool, verbose: int) -> None:
    """List the raw formats that can be read."""
    from operando.formats import catalogue

    known = catalogue.formats()
    if as_json:
        shared.print_json({
            "formats": [
                {"name": f.name, "title": f.title, "kind": f.kind, "endings": list(f.extensions)} for f in known
            ]
        })
        return
    rows = [[f.name, f.kind, " ".join(f.extensions), f.title] for f in known]
    shared.table("Formats", ["format", "kind", "endings", "what"], rows)


@click.command(epilog="Example: operando materials InLi")
@click.argument("name", required=False, shell_complete=shared.complete_material)
@shared.common_options
def materials(name: str | None, as_json: bool, quiet: bool, verbose: int) -> None:
    """List the materials with their candidate host reactions, or describe one."""
    from operando.materials import catalogue
    from operando.pipeline.digest import plain

    chosen = [catalogue.load(name)] if name else [catalogue.load(each) for each in catalogue.names()]
    if as_json:
        shared.print_json({"materials": [plain(material) for material in chosen], "reactions": _reactions(chosen)})
        return
    rows = [[m.name, m.formula, m.space_group or "", f"{m.density_g_per_cm3:.3f}", m.status, m.title] for m in chosen]
    shared.table("Materials", ["name", "formula", "space group", "g/cm³", "status", "what"], rows)
    reactions = _reactions(chosen)
    if reactions:
        rows = [[r["reaction"], f"{r['volume_cm3_per_mol']:.2f}", r["status"]] for r in reactions]
        shared.table("Candidate host reactions", ["reaction", "cm³ per mole Li", "status"], rows)
    if name:
        for source in chosen[0].sources:
            click.echo(source)


def _reactions(materials: list[Any]) -> list[dict[str, Any]]:
    """Candidate host reactions, each once, with the material they are listed for."""
    from operando.materials import reactions

    found: dict[str, dict[str, Any]] = {}
    for material in materials:
        if "Li" not in material.formula or len(reactions.host_phases(material)) < 3:
            continue
        for reaction in reactions.candidates(material):
            about = {"volume_cm3_per_mol": reaction.volume_cm3_per_mol, "status": reaction.status}
            found.setdefault(reaction.text, {"reaction": reaction.text, **about})
    return list(found.values())


@click.command(epilog="Example: operando doctor --json")
@shared.common_options
def doctor(as_json: bool, quiet: bool, verbose: int) -> None:
    """Say what this machine offers: cores, memory, disk, GPU, optional readers, browser."""
    from operando.pipeline import doctor as examination

    found = examination.examine()
    if as_json:
        shared.print_json({"findings": [vars(item) for item in found]})
    else:
        shared.table("This machine", ["what", "found", "remark"], [[i.what, i.found, i.remark] for i in found])
    if any(item.severe for item in found):
        raise click.exceptions.Exit(1)


@click.command(epilog="Example: operando bench reconstruct")
@click.argument("what", default="reconstruct", type=click.Choice(["reconstruct"]))
@click.option("--columns", default=1008, show_default=True, type=click.IntRange(min=64), help="Detector columns.")
@click.option("--angles", default=750, show_default=True, type=click.IntRange(min=8), help="Projections.")
@shared.common_options
def bench(what: str, columns: int, angles: int, as_json: bool, quiet: bool, verbose: int) -> None:
    """Measure how fast this machine reconstructs, beside its physical floor."""
    from operando.tomography.benchmark import measure

    found = measure(columns=columns, angles=angles)
    if as_json:
        shared.print_json(found)
    else:
        shared.table(
            "Reconstruction",
            ["figure", "value"],
            [[key, f"{value:.4g}" if isinstance(value, float) else str(value)] for key, value in found.items()],
        )
