/** The letters to customers, and the tasker in which handlers create the next month. A program sets all three. */
export const post = {
  tasker: undefined,
  now: () => new Date(),
  letters: [],
  send(customer, text) {
    this.letters.push({ at: this.now(), customer, text });
  },
};
