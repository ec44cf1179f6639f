/** The key of a step. */
export interface StepKey {
  taskUuid: string;
  idx: number;
}

/** The key of a step, and the fence of the claim that holds it. */
export interface HeldKey extends StepKey {
  claim: number;
}
