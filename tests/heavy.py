"""Cases of the default suite that take long, and whose siblings stay in it: they run with `pytest -m slow`."""

# Recipes that play on one kind of data in the default suite.
NEWER = ("wgan", "dragan", "ragan", "projection", "acgan", "infogan", "bigan", "began", "vae_gan")

HEAVY = frozenset(
    {
        *(
            f"recipes/test_recipes.py::test_every_recipe_plays_on_every_kind[{kind}-{name}]"
            for kind in ("points-alone", "image-alone", "colour-alone")
            for name in NEWER
        ),
        *(
            f"objectives/test_observation.py::test_{name}"
            for name in (
                "it_is_a_distribution_and_mean_and_samples_are_its_own[mixture]",
                "it_is_a_distribution_and_mean_and_samples_are_its_own[numbers]",
                "gradient_is_the_directional_difference[mixture]",
                "gradient_is_the_directional_difference[decoded levels]",
                "log_prob_is_that_of_scipy[mixture of levels]",
            )
        ),
        *(
            f"objectives/test_contract.py::test_observation_contract[{name}-event0]"
            for name in ("mixture", "LEVELS", "DECODED_LEVELS", "categorical", "columns")
        ),
        *(
            f"recipes/test_recipes.py::test_every_recipe_plays_on_every_kind[{kind}]"
            for kind in (
                "image-label-hinge_sn",
                "image-alone-gan_ada",
                "colour-alone-fsq_vae",
                "image-label-hvae",
                "colour-alone-hinge_sn",
                "image-alone-flow_vae",
            )
        ),
        "recipes/test_recipes.py::test_a_decoder_starts_from_the_image_that_it_is_given[(16, 16, 1)-bernoulli]",
        *(
            f"nets/test_adapters.py::test_{name}"
            for name in (
                "training_and_evaluation[linen]",
                "evaluation_is_the_library_s_own[haiku]",
                "training_lowers_the_loss[linen]",
                "training_lowers_the_loss[haiku]",
            )
        ),
        *(
            f"nets/test_local.py::test_{name}"
            for name in (
                "both_forms_have_the_same_values_and_gradients[(8, 8, 1)-translator]",
                "both_forms_have_the_same_values_and_gradients[(8, 8, 1)-patch_critic]",
                "outputs_move_with_the_image[translator-(64, 64, 1)-4]",
                "outputs_move_with_the_image[patch_critic-(64, 64, 1)-4]",
            )
        ),
        "nets/test_conditions.py::test_a_generator_of_images_starts_from_the_condition[(16, 16, 1)]",
        "nets/test_convolution.py::test_matmul_agrees_with_lax[few channels]",
        "nets/test_networks.py::test_signals_keep_their_size_at_the_start[(32, 32, 3)]",
        *(
            f"latents/test_latent_contract.py::test_{name}"
            for name in (
                "finite_at_the_extremes[quantised, codebook]",
                "finite_at_the_extremes[vector, gaussian_mixture]",
                "examples_do_not_see_each_other[quantised, scalars]",
                "examples_do_not_see_each_other[vector, gaussian_mixture]",
            )
        ),
        "test_cli.py::test_a_signal_while_programs_are_compiled_ends_in_one_line[compare-2]",
        "test_cli.py::test_a_signal_while_programs_are_compiled_ends_in_one_line[train vae --steps 100000000-15]",
        *(f"testing/test_audit.py::test_right_versions_pass[seed 0-{name}]" for name in ("score", "importance")),
        *(
            f"games/test_vae.py::test_every_latent_trains_encodes_and_samples[{name}]"
            for name in ("vamp", "hierarchical", "codebook", "flow", "scalars", "dreg", "free bits by layer")
        ),
        *(
            f"latents/test_bounds_and_estimators.py::test_{name}_under_every_bound[{case}]"
            for name, case in (("unbiased", "SCORE-flow"), ("unbiased", "DREG-flow"), ("cut_is_off", "flow"))
        ),
        *(f"latents/test_vector.py::test_density_of_a_flow[{case}]" for case in ("2-base0", "3-base1", "3-base2")),
        "games/test_vae.py::test_gradient_is_the_directional_difference[None-1]",
        "nets/test_convolution.py::test_matmul_agrees_with_lax[winograd of many positions]",
        "nets/test_convolution.py::test_kernels_are_those_of_linen[winograd of many positions-matmul]",
        *(
            f"nets/test_conditions.py::test_a_condition_counts_for_its_own_example_alone[(16, 16, 2)-{name}]"
            for name in ("an image", "a vector", "labels")
        ),
        *(
            f"nets/test_conditions.py::test_signals_keep_their_size_at_the_start[{name}-(32, 32, 3)]"
            for name in ("a small image", "labels")
        ),
        "nets/test_local.py::test_both_forms_have_the_same_values_and_gradients[(18, 17, 2)-translator]",
        "objectives/test_distributions.py::test_parameters_that_all_points_share[family0]",
        "objectives/test_contract.py::test_observation_contract[mixture-event1]",
        *(
            f"objectives/test_observation.py::test_it_is_a_distribution_and_mean_and_samples_are_its_own[{name}]"
            for name in ("mixture of levels", "decoded levels")
        ),
        *(
            f"recipes/test_recipes.py::test_every_recipe_learns_a_little[{name}]"
            for name in ("hvae", "gan_ada", "hinge_sn", "aae", "vq_vae")
        ),
        *(
            f"recipes/test_recipes.py::test_every_recipe_plays_on_every_kind[colour-alone-{name}]"
            for name in ("cyclegan", "hvae")
        ),
        *(
            f"recipes/test_recipes.py::test_an_option_reaches_the_mathematics[{name}]"
            for name in (
                "vq_vae-commitment",
                "vae-likelihood",
                "fsq_vae-levels",
                "cyclegan-identity",
                "beta_vae-beta",
                "wgan_gp-weight",
                "dragan-std",
                "vae_gan-weighting",
            )
        ),
        *(f"objectives/test_auxiliary.py::test_information_by_hand[{n}]" for n in (0, 5)),
        "nets/test_autoencoders.py::test_both_halves_in_their_order[alone]",
        "games/test_began.py::test_losses_by_hand[alone]",
        "recipes/test_restrained.py::test_noise_of_dragan_is_in_standard_deviations_of_the_data[columns]",
        *(
            f"recipes/test_codes.py::test_the_critic_of_pairs_sees_code_and_condition[{case}]"
            for case in ("None-3", "condition2-5")
        ),
        "test_experiments.py::test_smallest_form[anomaly_detection]",
        "training/test_batch_sources.py::test_a_run_on_a_file_that_does_not_fit",
        "training/test_dynamics.py::test_dense_gan_by_products_and_by_its_full_jacobian",
        "training/test_programs.py::test_as_many_programs_as_chunk_lengths_and_none_after_the_warm_up[wgan_gp]",
        "test_cli.py::test_evaluate_draws_the_labels_of_the_test_split",
        "test_cli.py::test_nothing_measured_is_no_success",
        "test_cli.py::test_a_signal_while_programs_are_compiled_ends_in_one_line[train vae --steps 100000000-2]",
        "test_experiments_gan_optimum.py::test_smallest_run",  # test_smallest_form runs the same
        "test_experiments_vanishing_gradient.py::test_digits_hold_the_same_generators",
        "tasks/test_degradations.py::test_every_step_makes_the_headline_worse[colour]",
        "nets/test_convolution.py::test_matmul_agrees_with_lax[odd small side]",
        "runs/test_inputs.py::test_a_table_far_from_unit_scale_is_warned_of",
        "runs/test_run.py::test_packs_are_trained",
    }
)
