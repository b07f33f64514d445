"""The kinds of fact: what capture may state about the structure of a run, with the keys of data.

A fact is an observation, never a verdict: rules decide what it means.
"""

from __future__ import annotations

FACTS: dict[str, dict[str, str]] = {
    # one for each parameter (site = parameter)
    "wiring": {
        "requires_grad": "it asks for a gradient (latest)",
        "optimizer": "id of the optimizer site that holds it, or None",
        "used": "its module, or itself, took part in a training forward",
        "backwards": "steps since it was first seen that ran backward",
        "grads": "of these, how many left it with a gradient",
        "zero_grads": "looked-at steps in a row (up to the latest) whose gradient was all zeros",
        "moved_unowned": "it changed between looks although no optimizer holds it",
        "stale": "optimizer steps that used a gradient left over from before the previous step",
        "registered": "it is among some model's parameters()",
        "checked": "optimizer steps for which stale was looked at",
        "frozen_moves": "looks between which it changed, asked for no gradient, and an optimizer"
        " held it",
    },
    # one for each weight with two or more rows (site = parameter), at step 0 and again near step 20
    "init": {
        "zero": "all elements were 0 at step 0",
        "constant": "all elements were equal at step 0",
        "clones": "fraction of rows equal to another row (relative distance < 1e-6) at step 0",
        "clones_later": "the same at the first look at or after step 20, None before",
        "std": "standard deviation at step 0",
        "gain": "std * sqrt(fan_in)",
        "fan_in": "",
        "fan_out": "",
        "first_grad_absmax": "of the first gradient seen, or None",
    },
    # weights with the same random bits in two storages at step 0 (site = the later one)
    "cloned": {
        "twin": "id of the parameter site met before it",
        "later": "they were still equal at the first look at or after step 20, None before",
        "tied": "the file that makes the later one says that weights are tied or shared",
    },
    # biases of an LSTM at step 0 (site = parameter)
    "forget_gate": {"mean": "mean of the forget gate's quarter"},
    # a weight that changed between two steps of its optimizer (site = parameter)
    "edited": {
        "checked": "pairs of steps between which it was compared",
        "edited": "of these, those between which it had changed",
        "undone": "of these, those where nine tenths of the step before were taken back",
        "op": "the call that was seen to write to it (copy_, data, load_state_dict, ...) or ''",
    },
    # losses that backward was called on twice, the gradients still there: one for each line
    "doubled": {},
    # the graphs of earlier losses are not let go of (site = None)
    "retained": {
        "graphs": "of the last 1000 losses that backward was called on, those still held",
        "share": "the same as a share",
        "variable": "the script's name of a sum of them, or ''",
        "buffers": "backward was told to keep what the graph holds",
    },
    # a line whose operation can break and has not, a gradient flowing through (site = None)
    "risky": {
        "op": "log, sqrt, div, exp, ...",
        "operand": "the element that came nearest to where it breaks",
        "room": "bits that this is away; -1 is on the edge",
        "near": "looks at which fewer than three bits were left",
        "looks": "looks at which it ran",
        "made": "operation that made the operand (softmax, sigmoid, add, ...)",
        "module": "class of the module in whose forward it stands, or ''",
        "dtype": "",
    },
    # a file with an optimizer's state was loaded (key = its name there)
    "resumed": {
        "models": "states that models took",
        "optimizers": "states that optimizers took",
    },
    # layers that follow each other with affine operations only between them (site = the first)
    "affine": {
        "layers": "ids of the module sites, in order",
        "norms": "batch norms among what stands between",
    },
    # one for each optimizer (site = optimizer)
    "optimizer": {
        "class": "class name",
        "defaults": "lr, betas, eps, weight_decay, momentum, ... as numbers",
        "parameters": "tensors it holds",
        "names": "up to 5 names of parameters it holds",
        "orphans": "tensors it holds that belong to no model that ran and took part in no backward",
        "steps": "times it stepped",
        "closure": "step was given a closure",
        "steps_without_backward": "steps that no backward pass preceded since the previous step",
        "untouched": "looked-at steps whose gradients nobody wrote to since the last backward",
        "state": "floating type of what it keeps of each weight, '' when it keeps nothing",
        "repeated": "looked-at steps with the very gradients of its step before",
        "remade": "times that the same line made another for the same tensors in its place",
    },
    # one for each learning-rate scheduler (site = scheduler)
    "scheduler": {
        "class": "",
        "optimizer": "id of the optimizer site",
        "steps": "calls of step() by the user",
        "optimizer_steps": "optimizer steps so far",
        "before_first_step": "step() came before the optimizer's first step",
        "settings": "T_max, step_size, gamma, total_steps, ... as numbers",
        "mode": "ReduceLROnPlateau's mode",
        "metric_falls": "metrics given to it fell over the run (True/False/None)",
        "optimizer_live": "its optimizer has stepped",
    },
    # one for each loss-function call site (site = lossfn)
    "loss_call": {
        "function": "cross_entropy, nll_loss, mse_loss, ...",
        "reduction": "",
        "prediction_shape": "",
        "target_shape": "",
        "target_dtype": "",
        "producer": "name of the operation that made the prediction (softmax, sigmoid, relu, ...)"
        " or ''; seen in deep looks",
        "producer_file": "",
        "producer_line": "",
        "producer_module": "module that made the prediction, if any",
        "classes": "number of classes K, or None",
        "label_counts": "list of counts per class (K <= 1024), or None",
        "one_hot": "target rows are 0/1 with exactly one 1",
        "multi_label": "target rows are 0/1 with other sums",
        "binary": "all targets are 0 or 1 (latest look)",
        "ignored": "fraction ignored so far",
        "ignore_index": "",
        "label_smoothing": "",
        "weighted": "class weights were given",
        "negative": "times it returned a negative value",
        "calls": "times it was seen",
        "factor": "root of backward / value returned, when the root hangs on this call alone, or"
        " None",
    },
    # state_dict() of a model was called after training had begun: when is the fact's own
    "checkpoint": {},
    # what a model was first given without gradient, the line that gave it (site = input)
    "eval_input": {"shape": ""},
    # broadcasts in the loss: one for each line (site = None)
    "broadcast": {
        "op": "",
        "left": "shape",
        "right": "shape",
        "out": "shape",
        "batch": "batch size of the step",
        "both": "both sides ask for a gradient",
        "reaches_loss": "its result led to a loss function or a"
        " mean()/sum() that backward started from",
    },
    # what keeps a position from seeing later ones: one for each kind (site = None)
    "causal": {"how": "mask (triangular, or is_causal) or recurrent (one direction)"},
    # an operation that cuts the graph between trainable parameters and the loss (site = None)
    "cut": {
        "op": "detach, item, numpy, data, argmax, round, no_grad, tensor, ...",
        "module": "name of the module in whose forward it stands, or ''",
        "upstream": "names of parameters behind the cut that never got a gradient (<= 20)",
    },
    # a line that draws samples from what a network may have put out (site = None)
    "draw": {"what": "multinomial, or the class of the distribution"},
    # modules or parameters that the model holds outside parameters()
    "unregistered": {
        "owner": "name of the module that holds them",
        "attribute": "",
        "container": "list, dict..",
        "parameters": "number of parameters",
        "executed": "they ran in a training forward",
        "in_optimizer": "an optimizer holds them all the same",
    },
    # a container all of whose entries are one module with weights (site = that module, if it ran)
    "repeated": {
        "container": "name of the container",
        "class": "class of the module",
        "entries": "how many",
        "multiplied": "the line that made it multiplies a list",
    },
    # batch norm, dropout: how they ran in training forwards (site = module)
    "mode": {
        "train": "forwards in train mode",
        "eval": "forwards in eval mode",
        "eval_after_train": "eval-mode forwards after one in train mode",
        "last_eval_run": "eval-mode training forwards in a row, up to the latest",
        "whole_model_eval": "every module of the model was in eval mode",
        "samples": "batch norm: values per statistic (B*H*W) in the latest forward",
        "usual_samples": "batch norm: the number of them that was seen most often in train mode",
        "fewest_samples": "batch norm: the smallest number of them that was seen in train mode",
        "momentum": "batch norm: its momentum, None for a cumulative mean or no running statistics",
        "tracks": "batch norm: it keeps running statistics",
    },
    # losses computed outside training: no gradient, or every model in eval mode (site = lossfn)
    "evaluation": {
        "function": "",
        "passes": "times it was evaluated, each between two steps",
        "batches": "most loss calls in one pass",
        "train_mode": "passes with a model in train mode that holds dropout or batch norm",
        "norms_moved": "of these, passes during which a batch norm counted further batches",
        "modules": "names of up to 5 modules that were in train mode",
        "eval_called": "eval() was called on a model at some time before",
    },
    # functional dropout and suspect dropout modules (site = op or module)
    "dropout": {
        "p": "",
        "functional": "F.dropout rather than a module",
        "active_in_eval": "times it was active in a module in eval mode, or under no_grad",
        "output_of_model": "it made the prediction that went into the loss function",
        "grad_disabled": "times it was active under no_grad",
    },
    # the first non-finite value (site = where it was seen, or None)
    "nonfinite": {
        "where": "forward, backward or loss: the first; hidden: NaN in a forward whose loss was"
        " finite; skipped: a loss that no backward followed",
        "op": "the operation that made it, '' when unknown",
        "value": "nan|inf",
        "producer": "an operation is known that made it of finite inputs",
        "exact": "what went in is known to be finite; else it is the likeliest",
        "low": "input range",
        "high": "",
        "dtype": "of the operation's result",
        "module": "name of the module whose forward it stands in, or ''",
        "cause": "operation; input: the batch; data: another tensor without gradient; weights:"
        " not finite before the forward; grown: so large that the operation overflowed",
        "variable": "the script's name of that other tensor",
        "weights": "largest magnitude among the weights",
        "grown": "how many times the most grown weight has grown since the start",
        "rows": "indices of bad samples in the batch, the first few",
        "samples": "the same in the data set, where its loader tells",
        "loader": "key of the loader whose batch was drawn last",
        "epoch": "times it had been iterated before",
        "batch": "index of the batch in that epoch",
        "capsule": "file to replay the step from, '' when none was written",
        "capsule_lost": "why none was, or what it lacks",
    },
    # a training DataLoader (site = None)
    "loader": {
        "sampler": "class name",
        "shuffle": "",
        "batch_size": "",
        "drop_last": "",
        "length": "batches per epoch",
        "iterators": "times it was iterated",
        "batches": "batches drawn",
        "max_drawn": "most batches drawn from one iterator",
        "last_batch": "samples left for the last batch of an epoch, None if that is not known",
        "sampler_epochs": "epoch numbers that a shuffling DistributedSampler had at its iterations",
    },
    # the scaler (site = None)
    "scaler": {"class": "", "enabled": ""},
    # gradient clipping calls: one for each line
    "clip": {
        "params": "tensors given",
        "grads": "of these with a gradient",
        "max_norm": "",
        "trainable": "tensors that the optimizers hold",
    },
    # the exception that ended the script
    "error": {"type": "", "message": "", "known": "no_grad_fn, one_sample, ... or ''"},
    # what gradoctor itself lost
    "lost": {"what": "hook, disk, encode, ...", "message": ""},
    # what the governor did
    "governor": {
        "looks": "full looks",
        "deep": "deep looks",
        "budget": "",
        "share": "own seconds over all seconds",
        "steady_share": "the same after the first 50 steps",
    },
    # what theory and the first backward say of the first model, when it was asked for
    "forecast": {"forecast": "a prognosis.Forecast as data"},
    # the answer of a probe (key = its name), added after the run
    "probe": {
        "name": "overfit, train-eval, learning-rate, precision, causal, init or sharpness",
        "verdict": "one of the probe's own words",
        "bad": "something is wrong in the script",
        "values": "what was measured: a dict of numbers and names",
        "arms": "the last loss of each of its runs",
        "cautions": "what limits the answer",
        "steps": "training steps of its longest run",
        "seconds": "that it took",
    },
    # models seen: one for each top-level module (site = None)
    "model": {"name": "", "class": "", "parameters": "", "modules": ""},
}

EVENTS: dict[str, str] = {
    "zero_grad": "Optimizer.zero_grad or Module.zero_grad; who = optimizer",
    "backward": "torch.autograd.backward; who = loss site",
    "clip": "clip_grad_norm_ or clip_grad_value_",
    "unscale": "GradScaler.unscale_; who = optimizer",
    "scale": "GradScaler.scale",
    "scaler_step": "GradScaler.step; who = optimizer",
    "scaler_update": "GradScaler.update",
    "step": "an optimizer's step; who = optimizer",
    "manual_step": "weights changed between backwards without an optimizer",
    "schedule": "a scheduler's step; who = scheduler",
}
