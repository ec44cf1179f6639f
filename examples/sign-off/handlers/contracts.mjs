import { Decision, defineDecisionHandler, defineHandler } from 'tasker-core';

export const draft = defineHandler('sign_off.draft', { inputs: { customer: 'customer' } }, ({ customer }) => ({
  text: `Contract with ${customer}`,
}));

/** The result of an approval: `approved`, `rejected`, or `timed_out`. */
export const route = defineDecisionHandler('sign_off.route', { depends: { vote: 'sign_off' } }, ({ vote }) =>
  Decision.route([vote.decision === 'approved' ? 'publish' : 'archive']),
);

export const publish = defineHandler('sign_off.publish', { depends: { vote: 'sign_off' } }, ({ vote }) => ({
  published: true,
  approved_by: vote.votes.map(({ by }) => by),
}));

export const archive = defineHandler('sign_off.archive', { depends: { vote: 'sign_off' } }, ({ vote }) => ({
  published: false,
  because: vote.comment ?? vote.decision,
}));
