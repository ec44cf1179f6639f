import { templateNodes } from '../../app/json/graph.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { mermaidOf } from '../../template/mermaid.ts';
import { type StepTemplate, waitsByType } from '../../template/task-template.ts';
import { graphOf } from '../../template/template-graph.ts';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { parentsIn, treeOf } from '../show/step-tree.ts';
import { findTemplate } from './find.ts';

/** `tasker template graph`: prints the steps as a tree or as a Mermaid flowchart. */
export async function templateGraph(wanted: string, options: GlobalOptions & { mermaid?: boolean }): Promise<void> {
  const template = await findTemplate(wanted, options);
  const graph = graphOf(template);
  if (options.mermaid) return print(mermaidOf(template).trimEnd());
  const parents = parentsIn(graph);
  if (options.json) {
    return printJson({
      nodes: templateNodes(template),
      edges: [...parents].flatMap(([to, from]) => from.map((parent) => ({ from: parent, to }))),
    });
  }
  for (const { name, branches, otherParents } of treeOf(graph.names, parents)) {
    const also = otherParents.length > 0 ? ` (also after ${otherParents.join(', ')})` : '';
    print(`${pc.dim(branches)}${name}${pc.dim(`${notesOf(template.steps[graph.indexOf.get(name)!]!)}${also}`)}`);
  }
}

/** Returns the type of a step that waits, and the conditions of a step, behind its name. */
function notesOf({ type, runIf, join, when }: StepTemplate): string {
  const notes = [
    waitsByType(type) ? [type] : [],
    runIf === null ? [] : [`run_if ${runIf}`],
    join === null ? [] : [`join ${join}`],
    when === null ? [] : [`when ${when}`],
  ].flat();
  return notes.length > 0 ? ` (${notes.join(', ')})` : '';
}
