import { useNow } from '../../api/live.tsx';
import { Panel } from '../../parts/controls.tsx';
import { ExportMenu } from '../../parts/export-menu.tsx';
import { TableFoot } from '../../parts/grid.tsx';
import { State } from '../../parts/state.tsx';
import { Time } from '../../parts/text.tsx';
import { counted } from '../../parts/words.ts';
import { stepTimesOf, stepTimeText } from './task-words.ts';
import type { ViewProps } from './use-task.ts';

export function StepsView({ data: { steps = [] }, selected, onSelect }: ViewProps) {
  const now = useNow();
  return (
    <Panel>
      <table className="grid-table" aria-label="Steps">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Step</th>
            <th scope="col" className="num">
              Attempts
            </th>
            <th scope="col" className="num">
              Duration
            </th>
            <th scope="col">Worker</th>
            <th scope="col">Error</th>
            <th scope="col" className="num">
              Last attempt
            </th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => (
            <tr key={step.step_uuid} aria-selected={step.name === selected}>
              <td>
                <State state={step.current_state} />
              </td>
              <td>
                <button
                  type="button"
                  className="font-medium hover:text-accent hover:underline"
                  onClick={() => onSelect(step.name)}
                >
                  {step.name}
                </button>
                {step.element?.key != null && <span className="ml-2 text-faint">{step.element.key}</span>}
              </td>
              <td className="num text-soft">
                {step.attempts}/{step.max_attempts}
              </td>
              <td className="num">{stepTimeText(stepTimesOf(step), now)}</td>
              <td className="text-soft">{step.worker}</td>
              <td className="wide text-s-red">{step.results?.error?.message}</td>
              <td className="num text-soft">
                <Time at={step.last_attempted_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <TableFoot text={counted(steps.length, 'row')}>
        <ExportMenu name="Steps" rows={steps} />
      </TableFoot>
    </Panel>
  );
}
