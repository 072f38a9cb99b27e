import { command } from '../command';
import { completionScripts, shells } from '../completion/scripts';
import { CliFailure, exitCodes } from '../failures';

export const completionCommand = command({
  usage: 'completion <shell>',
  summary: `print the script with which a shell (${shells.join(', ')}) completes commands, options and ids`,
  examples: ['source <(tenure completion bash)    # in ~/.bashrc', 'tenure completion fish > ~/.config/fish/completions/tenure.fish'],
  run(cli, _options, name: string) {
    const shell = shells.find((one) => one === name);
    if (!shell) throw new CliFailure(exitCodes.usage, `There is no completion for ${name}, only for ${shells.join(', ')}.`);
    cli.out.write(`${completionScripts[shell]}\n`);
    return Promise.resolve();
  },
});
