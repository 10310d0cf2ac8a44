%% Drives the `supervisor` of this Erlang/OTP: reads one scenario a line on stdin, as an Erlang term, and writes one line
%% of JSON with what happened after each command. Run it on one scheduler, so that signals arrive in causal order.
%%
%% The code of `supervisor` is loaded anew from its own debug information with one change: its clock is the scenario's,
%% in milliseconds. Nothing else of it is touched.
-module(otp_driver).
-behaviour(supervisor).
-export([main/0, init/1, start_worker/1, start_nested/1, now_ms/0, log/2]).

main() ->
    load_supervisor_with_clock(),
    ok = logger:remove_handler(default),
    ok = logger:add_handler(otp_driver, ?MODULE, #{}),
    register(witness, spawn_link(fun() -> witness([]) end)),
    ets:new(counts, [named_table, public]),
    process_flag(trap_exit, true),
    io:format("ready ~s~n", [erlang:system_info(otp_release)]),
    serve().

load_supervisor_with_clock() ->
    {ok, {supervisor, [{abstract_code, {raw_abstract_v1, Forms}}]}} =
        beam_lib:chunks(code:which(supervisor), [abstract_code]),
    {Clocked, true} = with_clock(Forms, false),
    {ok, supervisor, Binary} = compile:forms(Clocked, [nowarn_nomatch]),
    code:unstick_mod(supervisor),
    {module, supervisor} = code:load_binary(supervisor, "supervisor", Binary).

with_clock({call, At, {remote, _, {atom, _, erlang}, {atom, _, monotonic_time}}, [_]}, _) ->
    {{call, At, {remote, At, {atom, At, ?MODULE}, {atom, At, now_ms}}, []}, true};
with_clock([Head | Tail], Found) ->
    {NewHead, InHead} = with_clock(Head, Found),
    {NewTail, InTail} = with_clock(Tail, InHead),
    {[NewHead | NewTail], InTail};
with_clock(Tuple, Found) when is_tuple(Tuple) ->
    {List, NowFound} = with_clock(tuple_to_list(Tuple), Found),
    {list_to_tuple(List), NowFound};
with_clock(Other, Found) ->
    {Other, Found}.

now_ms() ->
    count(clock).

serve() ->
    case io:get_line("") of
        eof ->
            halt(0);
        Line ->
            {ok, Tokens, _} = erl_scan:string(Line),
            {ok, {Spec, Commands}} = erl_parse:parse_term(Tokens),
            io:put_chars([json(scenario(Spec, Commands)), $\n]),
            serve()
    end.

%% A scenario: the root is started, the commands are given one by one, and the root is stopped where it still runs.

scenario(Spec, Commands) ->
    ets:delete_all_objects(counts),
    take_log(),
    case supervisor:start_link(?MODULE, {"", Spec}) of
        {ok, Root} ->
            First = step(Root, "ok"),
            Steps = [First | commands(Root, Commands)],
            Ended = end_reason(Root),
            Steps ++ [take_log() ++ ["end " ++ Ended]];
        {error, _} ->
            receive {'EXIT', _, _} -> ok end,
            [take_log() ++ ["end start-failed"]]
    end.

commands(_, []) ->
    [];
commands(Root, [Command | Rest]) ->
    case is_process_alive(Root) of
        false ->
            [];
        true ->
            Reply = do(Root, Command),
            [step(Root, Reply) | commands(Root, Rest)]
    end.

%% OTP ends with `shutdown` in any case: what it logged, and whether it was told to, tell the reason.
end_reason(Root) ->
    IsAlive = is_process_alive(Root),
    exit(Root, shutdown),
    receive {'EXIT', Root, _} -> ok end,
    case {IsAlive, ets:lookup(counts, {gave_up, ""})} of
        {true, _} -> "shutdown";
        {false, [_]} -> "intensity";
        {false, []} -> "auto-shutdown"
    end.

step(Root, Reply) ->
    settle(Root, none),
    Lines = take_log() ++ ["reply " ++ Reply | take_late_replies()],
    case is_process_alive(Root) of
        true -> Lines ++ states(Root, "");
        false -> Lines
    end.

take_late_replies() ->
    Replies = lists:sort([Said || {{late_reply, _}, Said} <- ets:tab2list(counts)]),
    ets:match_delete(counts, {{late_reply, '_'}, '_'}),
    Replies.

%% Waits until nothing is under way: nobody restarts, and two looks in a row at the whole tree see the same.
settle(Root, Before) ->
    Seen = {look(Root), log_length()},
    case Seen =:= Before andalso not is_restarting(Seen) andalso count(open_calls) =:= 0 of
        true -> ok;
        false -> settle(Root, Seen)
    end.

look(Supervisor) ->
    try supervisor:which_children(Supervisor) of
        Children ->
            [{Id, Pid, case Type of supervisor when is_pid(Pid) -> look(Pid); _ -> [] end}
             || {Id, Pid, Type, _} <- Children]
    catch
        exit:_ -> gone
    end.

is_restarting(restarting) -> true;
is_restarting(Tuple) when is_tuple(Tuple) -> is_restarting(tuple_to_list(Tuple));
is_restarting([Head | Tail]) -> is_restarting(Head) orelse is_restarting(Tail);
is_restarting(_) -> false.

states(Supervisor, Path) ->
    Children = lists:reverse(supervisor:which_children(Supervisor)),
    Counts = supervisor:count_children(Supervisor),
    Numbers = [io_lib:format("~s ~w ", [Key, proplists:get_value(Key, Counts)])
               || Key <- [specs, active, supervisors, workers]],
    [lists:flatten(["count ", Path, " ", Numbers])
     | lists:append([state(Path, Child) || Child <- Children])].

state(Path, {Id, undefined, _, _}) ->
    ["state " ++ Path ++ Id ++ " stopped"];
state(Path, {Id, Pid, supervisor, _}) ->
    ["state " ++ Path ++ Id ++ " running" | states(Pid, Path ++ Id ++ "/")];
state(Path, {Id, _, worker, _}) ->
    ["state " ++ Path ++ Id ++ " running"].

%% Commands

do(_, {advance, Ms}) ->
    ets:update_counter(counts, clock, Ms, {clock, 0}),
    "ok";
do(Root, {worker, Path, What}) ->
    case find(worker, Root, Path) of
        Pid when is_pid(Pid) ->
            Monitor = monitor(process, Pid),
            Pid ! What,
            receive {'DOWN', Monitor, _, _, _} -> "ok" end;
        _ ->
            "skipped"
    end;
do(Root, {call, Path, Call}) ->
    case find(supervisor, Root, Path) of
        Pid when is_pid(Pid) -> call(Pid, Path, Call);
        _ -> "skipped"
    end.

call(Supervisor, Path, {start, Child}) -> said(supervisor:start_child(Supervisor, child_spec(prefix(Path), Child)));
call(Supervisor, _, {terminate, Id}) -> said(supervisor:terminate_child(Supervisor, Id));
call(Supervisor, _, {restart, Id}) -> said(supervisor:restart_child(Supervisor, Id));
call(Supervisor, _, {delete, Id}) -> said(supervisor:delete_child(Supervisor, Id)).

said(ok) -> "ok";
said({ok, _}) -> "ok";
said({error, already_present}) -> "already_present";
said({error, {already_started, _}}) -> "already_started";
said({error, Atom}) when Atom =:= not_found; Atom =:= running; Atom =:= restarting -> atom_to_list(Atom);
said({error, _}) -> "start_failed".

find(supervisor, Root, "") ->
    Root;
find(Type, Root, Path) ->
    find_below(Type, Root, string:split(Path, "/", all)).

find_below(Type, Supervisor, [Id | Below]) ->
    case lists:keyfind(Id, 1, supervisor:which_children(Supervisor)) of
        {_, Pid, Type, _} when Below =:= [] -> Pid;
        {_, Pid, supervisor, _} when is_pid(Pid), Below =/= [] -> find_below(Type, Pid, Below);
        _ -> undefined
    end.

prefix("") -> "";
prefix(Path) -> Path ++ "/".

%% Supervisors: {Strategy, Intensity, PeriodMs, AutoShutdown, Children}

init({Path, {Strategy, Intensity, PeriodMs, AutoShutdown, Children}}) ->
    put(path, Path),
    Flags = #{strategy => Strategy, intensity => Intensity, period => PeriodMs, auto_shutdown => AutoShutdown},
    {ok, {Flags, [child_spec(prefix(Path), Child) || Child <- Children]}}.

start_nested({Path, Spec}) ->
    case supervisor:start_link(?MODULE, {Path, Spec}) of
        {ok, Pid} ->
            say({watch, Pid, Path}),
            {ok, Pid};
        Failed ->
            Failed
    end.

%% Children: {Id, Restart, Significant, Shutdown, {worker, Attempts, OnShutdown} | {supervisor, Spec}}

child_spec(Prefix, {Id, Restart, Significant, Shutdown, What}) ->
    {Function, Arguments, Type} =
        case What of
            {worker, Attempts, OnShutdown} -> {start_worker, {Prefix ++ Id, Attempts, OnShutdown}, worker};
            {supervisor, Spec} -> {start_nested, {Prefix ++ Id, Spec}, supervisor}
        end,
    #{id => Id, start => {?MODULE, Function, [Arguments]}, restart => Restart, significant => Significant,
      shutdown => Shutdown, type => Type}.

start_worker({Path, Attempts, OnShutdown}) ->
    Attempt = ets:update_counter(counts, {attempt, Path}, 1, {{attempt, Path}, 0}),
    {Result, Calls} = lists:nth((Attempt - 1) rem length(Attempts) + 1, Attempts),
    [call_later(self(), Call) || Call <- Calls],
    case Result of
        fail -> {error, failed};
        throw -> error(failed);
        garbage -> 42;
        ignore -> ignore;
        ok -> {ok, spawn_worker(Path, OnShutdown)};
        done ->
            Pid = spawn_worker(Path, OnShutdown),
            Monitor = monitor(process, Pid),
            Pid ! finish,
            receive {'DOWN', Monitor, _, _, _} -> {ok, Pid} end
    end.

%% Asks the supervisor, which is in the middle of a start, to do something after it; eight times a scenario.
call_later(Supervisor, Call) ->
    case ets:update_counter(counts, calls, 1, {calls, 0}) of
        Number when Number =< 8 -> call_later(Supervisor, Call, Number);
        _ -> ok
    end.

call_later(Supervisor, Call, Number) ->
    ets:update_counter(counts, open_calls, 1, {open_calls, 0}),
    Me = self(),
    Path = get(path),
    spawn(fun() ->
        Me ! {asked, Number},
        Said = try call(Supervisor, Path, Call) catch exit:_ -> "no answer" end,
        ets:insert(counts, {{late_reply, Number}, "late " ++ atom_to_list(element(1, Call)) ++ " " ++ Said}),
        ets:update_counter(counts, open_calls, -1)
    end),
    receive {asked, Number} -> ok end.

spawn_worker(Path, OnShutdown) ->
    Supervisor = self(),
    Pid = spawn_link(fun() -> process_flag(trap_exit, true), work(Supervisor, OnShutdown) end),
    say({watch, Pid, Path}),
    Pid.

work(Supervisor, OnShutdown) ->
    receive
        fail -> exit(crashed);
        finish -> exit(normal);
        {'EXIT', Supervisor, Reason} ->
            case OnShutdown of
                obey -> exit(Reason);
                finish -> exit({shutdown, finished});
                crash -> exit(crashed);
                ignore -> work(Supervisor, OnShutdown)
            end
    end.

count(Key) ->
    case ets:lookup(counts, Key) of
        [{_, Count}] -> Count;
        [] -> 0
    end.

%% The witness writes down starts and ends in the order in which it hears of them.

say(What) ->
    witness ! {self(), What},
    receive {witness, Answer} -> Answer end.

take_log() -> say(take).
log_length() -> say(length).

witness(Log) ->
    receive
        {From, take} ->
            From ! {witness, lists:reverse(Log)},
            witness([]);
        {From, length} ->
            From ! {witness, length(Log)},
            witness(Log);
        {From, {watch, Pid, Path}} ->
            put(monitor(process, Pid), Path),
            From ! {witness, ok},
            witness(["+" ++ Path | Log]);
        {From, {note, Line}} ->
            From ! {witness, ok},
            witness([Line | Log]);
        {'DOWN', Monitor, _, _, Reason} ->
            witness(["-" ++ erase(Monitor) ++ " " ++ reason(Reason) | Log])
    end.

reason(normal) -> "normal";
reason(shutdown) -> "shutdown";
reason({shutdown, _}) -> "shutdown";
reason(killed) -> "killed";
reason(_) -> "abnormal".

%% A handler of the logger: supervisors report there, within their own process, that they give up.

log(#{msg := {report, #{label := {supervisor, shutdown}, report := Report}}}, _) ->
    case {get(path), proplists:get_value(reason, Report)} of
        {undefined, _} -> ok;
        {Path, reached_max_restart_intensity} ->
            ets:insert(counts, {{gave_up, Path}}),
            say({note, "escalated " ++ Path});
        _ -> ok
    end;
log(_, _) ->
    ok.

json(Steps) ->
    ["[", lists:join(",", [["[", lists:join(",", [["\"", Line, "\""] || Line <- Step]), "]"] || Step <- Steps]), "]"].
